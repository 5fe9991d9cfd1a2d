// Package compare says in what machines differ, from their facts. It is pure: it
// looks at nothing, and equal inputs give equal tables.
//
// A cell holds what a machine says, or that it does not say: what was not recorded is
// neither equal nor different.
package compare

import (
	"maps"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Machine is one machine, and what the manifest asks of it that is compared.
type Machine struct {
	Name        string // of its column
	Source      string // where its facts come from
	Facts       *facts.Facts
	Environment string   // that the manifest selects for it; "" for none
	Unselected  string   // why none is selected, where there are some
	Python      string   // the line of that environment, "3.10"
	Folders     []Folder // of the manifest
	Disk        Limits
}

// A Folder is a directory of the manifest, or the link that stands in its place.
type Folder struct {
	Name string // "data_raw"
	Path string // as in fact keys
}

// Limits are what the manifest asks of a disk, in bytes; 0 for no limit.
type Limits struct {
	Path                 string // as in fact keys; "" where the manifest asks for none
	WarnBelow, FailBelow int64
}

// A Row is one thing that machines are compared in.
type Row struct {
	Topic   string   `json:"topic"`   // "platform", "gpu", "python", "folders", "packages", "disk"
	Name    string   `json:"name"`    // "driver"
	Values  []string `json:"values"`  // one a machine, in their order; "" where it does not say
	Differs bool     `json:"differs"` // among those that say
	Unknown bool     `json:"unknown"` // one of them does not say
}

// cell is what one machine says. Cells are the same where their keys are: a text may
// tell more, such as how many bytes are free at this moment.
type cell struct{ text, key string }

// says is a cell that is compared by its text.
func says(text string) cell { return cell{text, text} }

// silent is the cell of a machine that does not say.
var silent = cell{}

func row(topic, name string, cells []cell) Row {
	r := Row{Topic: topic, Name: name, Values: make([]string, len(cells))}
	first := ""
	for i, c := range cells {
		r.Values[i] = c.text
		switch {
		case c == silent:
			r.Unknown = true
		case first == "":
			first = c.key
		case c.key != first:
			r.Differs = true
		}
	}
	return r
}

// Machines compares machines in all that matters to the manifest, topic by topic. A
// row of which no machine says anything is left out.
func Machines(list []Machine) []Row {
	var rows []Row
	add := func(topic, name string, ask func(*Machine) cell) {
		cells := make([]cell, len(list))
		for i := range list {
			cells[i] = ask(&list[i])
		}
		if slices.ContainsFunc(cells, func(c cell) bool { return c != silent }) {
			rows = append(rows, row(topic, name, cells))
		}
	}
	for _, a := range aspects {
		add(a.topic, a.name, a.ask)
	}
	for _, name := range folderNames(list) {
		add("folders", name, func(m *Machine) cell { return m.folder(name) })
	}
	for _, name := range packageNames(list) {
		add("packages", name, func(m *Machine) cell { return m.pkg(name) })
	}
	add("disk", "free", (*Machine).headroom)
	return rows
}

// folderNames lists the folders in the order in which machines first name them.
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

// packageNames lists what is installed anywhere, those of conda first.
func packageNames(list []Machine) []string {
	conda, dists := map[string]bool{}, map[string]bool{}
	for i := range list {
		g, ok := list[i].generation()
		if !ok {
			continue
		}
		for _, p := range g.Conda {
			conda[p.Name+ofConda] = true
		}
		for _, p := range g.Packages {
			dists[p.Name] = true
		}
	}
	return append(slices.Sorted(maps.Keys(conda)), slices.Sorted(maps.Keys(dists))...)
}

// ofConda marks the name of a package of conda.
const ofConda = " (conda)"

// CountDifferences returns how many rows differ, and of how many somebody does not say.
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
