package explain

import (
	"slices"
	"testing"
)

// TestAreasAreListed checks that every area of codes is in the list, so that its place and
// title were chosen, and that no two have the same title.
func TestAreasAreListed(t *testing.T) {
	of, _ := ByArea(Codes())
	titles := map[string]string{}
	for _, a := range of {
		if !slices.Contains(areas(), a) {
			t.Errorf("%s.… is not an area of the list", a.Name)
		}
		if other, twice := titles[a.Title]; twice {
			t.Errorf("%s and %s have the title %q", other, a.Name, a.Title)
		}
		titles[a.Title] = a.Name
	}
}
