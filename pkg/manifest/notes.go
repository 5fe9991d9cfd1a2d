package manifest

import (
	"fmt"
)

// Notes says what the manifest asks for and this version does not act on, and
// which environments are for other machines. Nothing is left out in silence.
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
	if n := len(m.Moved); n > 0 {
		notes = append(notes, count(n, "move is", "moves are")+" declared; this version does not carry them out yet")
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

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
