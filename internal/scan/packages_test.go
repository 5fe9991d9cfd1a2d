package scan

import (
	"slices"
	"testing"
)

// TestSettle tests that each package appears once, with the extras of all its lines, and that
// a pin goes before a comment.
func TestSettle(t *testing.T) {
	p := packages{list: []pkg{
		{name: "a", why: "has no version", extras: []string{"x"}},
		{name: "A", version: "1.0", extras: []string{"x"}, at: place{"r.txt", 2}},
		{name: "a", version: "1.0", extras: []string{"X", "y"}},
		{name: "a", version: "2.0"},
		{name: "b", why: "is a range: >=1", extras: []string{"x"}},
		{name: "b", why: "is a range: >=1", extras: []string{"y"}},
		{name: "c", why: "has no version"},
		{name: "d", version: "1.0"},
	}}
	p.settle(map[string]pkg{"c": {version: "3.0"}}, map[string]pkg{"d": {version: "0.9"}}, map[string]string{"b": "1.5"}, ".venv")
	var got []string
	for _, a := range p.list {
		got = append(got, a.entry()+" "+a.why)
	}
	want := []string{
		`{name: A, version: "1.0", extras: [x, "y"]} `,
		`{name: a, version: "2.0"} is pinned to 1.0 by r.txt:2`,
		`{name: b, version: "1.5", extras: [x, "y"]} is a range: >=1; .venv has this version`,
		`{name: c, version: "3.0"} `,
		`{name: d, version: "1.0"} is in conda_packages already, as 0.9`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
