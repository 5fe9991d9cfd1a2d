package session

import (
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// assumeAbsent takes what the manifest asks for, and the facts of a recorded machine do not
// mention, as absent: they were recorded for an earlier manifest. A fact that could not be probed
// there stays unknown.
func (m *Machine) assumeAbsent() {
	all := &facts.Facts{}
	all.Merge(m.Facts)
	for _, k := range m.Prior.Keys(m.Resources) {
		if _, reason, known := m.Facts.Lookup(k); known || reason != facts.NotProbed {
			continue
		}
		switch k.Kind {
		case facts.KindEnvironment:
			all.Set(facts.Environment{Name: k.Name, Path: m.places[k.Name].Path})
		case facts.KindPython:
			all.Set(facts.Pythons{Minor: k.Name})
		case facts.KindTool:
			all.Set(facts.Tool{Name: k.Name})
		case facts.KindPath:
			all.Set(facts.Path{Path: k.Name, Type: facts.Absent})
		case facts.KindNvidia:
			if vendor := m.Selection.GPU.Vendor; vendor != "nvidia" && vendor != "" {
				all.Set(facts.Nvidia{State: facts.NoDriver}) // by the recorded facts of the GPU
			}
			continue
		default:
			continue
		}
		m.absent = append(m.absent, k)
	}
	m.Facts = all
}

// absentNote names what assumeAbsent assumed, "" for nothing. Paths are left out: there are many,
// and most belong to an environment.
func (m *Machine) absentNote() string {
	var names []string
	for _, k := range m.absent {
		if k.Kind != facts.KindPath {
			names = append(names, fmt.Sprintf("%s %s", k.Kind, k.Name))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "the facts of this machine were recorded without " + strings.Join(names, ", ") + ", so the plan takes them as absent"
}
