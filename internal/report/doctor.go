package report

import (
	"fmt"
	"io"
	"strings"
)

// A CheckState is the result of one check.
type CheckState string

const (
	OK      CheckState = "ok"
	Warn    CheckState = "warn"
	Fail    CheckState = "fail"
	Unknown CheckState = "unknown" // the check could not run or gave no answer
	Skipped CheckState = "skipped" // the check did not run: it does not apply, or was switched off
)

func stateColor(s CheckState) color {
	switch s {
	case OK:
		return green
	case Warn, Unknown:
		return yellow
	case Fail:
		return red
	}
	return plain
}

// A Finding is the result of one check of a diagnosis.
type Finding struct {
	Code   string     `json:"code"` // stable: "driver.state"
	Name   string     `json:"name"` // of the checked thing, for people
	State  CheckState `json:"state"`
	Found  string     `json:"found"`
	Remedy string     `json:"remedy,omitempty"`
}

// A Chapter is the findings of one subject.
type Chapter struct {
	Name     string    `json:"name"`
	Findings []Finding `json:"findings"`
}

// A Diagnosis is the findings of one machine, for troubleshooting.
type Diagnosis struct {
	Root        string    `json:"root"`
	Environment string    `json:"environment,omitempty"`
	Recorded    string    `json:"recorded,omitempty"` // file of a recorded machine
	Chapters    []Chapter `json:"chapters"`
}

// Add appends a finding to the last chapter if it has the name, else to a new one.
func (d *Diagnosis) Add(chapter string, f Finding) {
	if n := len(d.Chapters); n == 0 || d.Chapters[n-1].Name != chapter {
		d.Chapters = append(d.Chapters, Chapter{Name: chapter})
	}
	last := &d.Chapters[len(d.Chapters)-1]
	last.Findings = append(last.Findings, f)
}

// Count returns the number of findings in a state.
func (d *Diagnosis) Count(state CheckState) int {
	n := 0
	for _, c := range d.Chapters {
		for _, f := range c.Findings {
			if f.State == state {
				n++
			}
		}
	}
	return n
}

// Doctor prints a diagnosis: a line for each finding, its remedy below, and last the
// counts.
func Doctor(w io.Writer, d *Diagnosis, o Options) error {
	p := newPage(w, o)
	width := 0
	for _, c := range d.Chapters {
		for _, f := range c.Findings {
			width = max(width, columns(Escape(f.Name)))
		}
	}
	for _, c := range d.Chapters {
		if len(c.Findings) == 0 {
			continue
		}
		p.heading(Escape(c.Name))
		for _, f := range c.Findings {
			p.finding(f, width)
		}
		p.blank()
	}
	p.counts(d)
	return p.close()
}

// finding prints one finding. On a narrow terminal the text is below the name.
func (p *page) finding(f Finding, width int) {
	c, label := stateColor(f.State), fmt.Sprintf("%-7s  ", f.State)
	under := 2 + len(label) + width + 2
	if p.o.Width > 0 && p.o.Width-under < narrowest {
		p.folded(2, 2+len(label), c, label, f.Name+": "+f.Found)
		under = 2 + len(label)
	} else {
		p.beside(c, label, pad(Escape(f.Name), width+2), f.Found)
	}
	if f.Remedy != "" {
		p.hang(under, cyan, "do: ", f.Remedy)
	}
}

// beside prints a label in a color, a name, which must be escaped, and a text that is
// folded beside them.
func (p *page) beside(c color, label, name, text string) {
	under := 2 + columns(label) + columns(name)
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		for j, piece := range fold(Escape(line), p.o.Width-under) {
			lead := spaces(under)
			if i == 0 && j == 0 {
				lead = "  " + p.paint(c, label) + name
			}
			p.raw(strings.TrimRight(lead+piece, " ") + "\n")
		}
	}
}

func (p *page) counts(d *Diagnosis) {
	warnings, failures := d.Count(Warn), d.Count(Fail)
	c, warningWord, failureWord := green, "warnings", "failures"
	if warnings > 0 {
		c = yellow
	}
	if failures > 0 {
		c = red
	}
	if warnings == 1 {
		warningWord = "warning"
	}
	if failures == 1 {
		failureWord = "failure"
	}
	p.last(c, "Doctor: ", countTexts(
		count{d.Count(OK), "ok"}, count{warnings, warningWord}, count{failures, failureWord}, count{d.Count(Unknown), "unknown"}, count{d.Count(Skipped), "skipped"},
	)+".")
}

// DoctorJSON writes a diagnosis as one document.
func DoctorJSON(w io.Writer, d *Diagnosis) error {
	return writeJSON(w, doctorDocument{Version, d, d.Count(Fail), d.Count(Warn)}, "  ")
}

type doctorDocument struct {
	Version int `json:"version"`
	*Diagnosis
	Failures int `json:"failures"`
	Warnings int `json:"warnings"`
}
