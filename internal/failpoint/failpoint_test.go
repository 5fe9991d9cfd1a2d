package failpoint

import (
	"slices"
	"testing"
)

func TestNamesAreSortedAndUnique(t *testing.T) {
	names := Names()
	if !slices.IsSorted(names) {
		t.Errorf("not sorted: %v", names)
	}
	if n := len(slices.Compact(slices.Clone(names))); n != len(names) {
		t.Errorf("%d of %d names are unique", n, len(names))
	}
	if !slices.Contains(names, "step.switch.after") || !slices.Contains(names, JournalWritten) {
		t.Errorf("names are missing in %v", names)
	}
}
