// Package compare compares machines by their facts. It is pure; equal inputs give equal
// tables. A fact that was not recorded is unknown: neither equal nor different.
package compare

import (
	"maps"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Machine is one machine with the parts of its manifest that are compared.
type Machine struct {
	Name        string // of its column
	Source      string // of its facts
	Facts       *facts.Facts
	Environment string   // that the manifest selects for it; "" for none
	Unselected  string   // why none is selected, if there are any
	Python      string   // Python minor version of the environment, "3.10"
	Folders     []Folder // of the manifest
	Disk        Limits
}

// A Folder is a directory of the manifest, or the link in its place.
type Folder struct {
	Name string // "data_raw"
	Path string // as in fact keys
}

// Limits are the disk requirement of the manifest, in bytes; 0 for no limit.
type Limits struct {
	Path                 string // as in fact keys; "" without a requirement
	WarnBelow, FailBelow int64
}

// A Row is one compared aspect of all machines.
type Row struct {
	Topic   string   `json:"topic"`   // "platform", "gpu", "python", "folders", "packages", "disk"
	Name    string   `json:"name"`    // "driver"
	Values  []string `json:"values"`  // one for each machine, in their order; "" if unknown
	Differs bool     `json:"differs"` // the known values differ
	Unknown bool     `json:"unknown"` // a value is unknown
}

// A cell is the value of one machine. Cells with the same key are equal; the text may have
// details that are not compared, such as free bytes.
type cell struct{ text, key string }

// value returns a cell that is compared by its text.
func value(text string) cell { return cell{text, text} }

// unknown is the cell of a machine without the fact.
var unknown = cell{}

func row(topic, name string, cells []cell) Row {
	r := Row{Topic: topic, Name: name, Values: make([]string, len(cells))}
	first := ""
	for i, c := range cells {
		r.Values[i] = c.text
		switch {
		case c == unknown:
			r.Unknown = true
		case first == "":
			first = c.key
		case c.key != first:
			r.Differs = true
		}
	}
	return r
}

// Machines compares machines aspect by aspect. It omits rows with unknown values only.
func Machines(list []Machine) []Row {
	var rows []Row
	add := func(topic, name string, get func(*Machine) cell) {
		cells := make([]cell, len(list))
		for i := range list {
			cells[i] = get(&list[i])
		}
		if slices.ContainsFunc(cells, func(c cell) bool { return c != unknown }) {
			rows = append(rows, row(topic, name, cells))
		}
	}
	addAspects(add)
	for _, name := range folderNames(list) {
		add("folders", name, func(m *Machine) cell { return m.folder(name) })
	}
	for _, name := range packageNames(list) {
		add("packages", name, func(m *Machine) cell { return m.pkg(name) })
	}
	add("disk", "free", (*Machine).diskSpace)
	return rows
}

// folderNames returns the names of all folders in the order of the machines.
func folderNames(list []Machine) []string {
	var names []string
	for i := range list {
		for _, f := range list[i].Folders {
			if !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
	}
	return names
}

// packageNames returns the names of all installed packages, conda packages first.
func packageNames(list []Machine) []string {
	conda, dists := map[string]bool{}, map[string]bool{}
	for i := range list {
		g, ok := list[i].generation()
		if !ok {
			continue
		}
		for _, p := range g.Conda {
			conda[p.Name+condaSuffix] = true
		}
		for _, p := range g.Packages {
			dists[p.Name] = true
		}
	}
	return append(slices.Sorted(maps.Keys(conda)), slices.Sorted(maps.Keys(dists))...)
}

// condaSuffix marks the name of a conda package.
const condaSuffix = " (conda)"

// CountDifferences returns the number of rows that differ, and of the others the number
// with an unknown value.
func CountDifferences(rows []Row) (differ, unknown int) {
	for _, r := range rows {
		if r.Differs {
			differ++
		} else if r.Unknown {
			unknown++
		}
	}
	return differ, unknown
}
