package manifest

import (
	"fmt"
)

// Notes says which environments are for other machines, and what people should know
// of the one that was chosen.
func (m *Manifest) Notes(_ Selection, env *Environment) []string {
	var notes []string
	for _, e := range m.Environments {
		if e != env {
			notes = append(notes, e.otherNote())
		}
		if e == env && e.Note != "" {
			notes = append(notes, fmt.Sprintf("environment %s: %s", e.Name, e.Note))
		}
	}
	return notes
}

// otherNote describes an environment that was not selected.
func (e *Environment) otherNote() string {
	note := fmt.Sprintf("environment %s (%s) ", e.Name, e.Type)
	if e.Match == nil {
		note += "is chosen by --env alone"
	} else {
		note += "is for machines with " + e.Match.String()
	}
	if e.Note != "" {
		note += "; " + e.Note
	}
	return note
}
