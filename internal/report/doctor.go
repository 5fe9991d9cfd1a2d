package report

import (
	"fmt"
	"io"
	"strings"
)

// CheckState is what a diagnosis says of one thing.
type CheckState string

const (
	OK      CheckState = "ok"
	Warn    CheckState = "warn"
	Fail    CheckState = "fail"
	Unknown CheckState = "unknown" // it could not be looked at, or gave no answer
	Skipped CheckState = "skipped" // nobody looked: there is no reason to, or it was asked so
)

// A Finding is one line of a diagnosis.
type Finding struct {
	Code   string     `json:"code"`  // stable: "driver.state"
	Name   string     `json:"name"`  // what was looked at, for people
	State  CheckState `json:"state"` // ok, warn, fail, unknown, skipped
	Found  string     `json:"found"` // what was found
	Remedy string     `json:"remedy,omitempty"`
}

// A Chapter is the findings of one subject.
type Chapter struct {
	Name     string    `json:"name"`
	Findings []Finding `json:"findings"`
}

// A Diagnosis is what is known of a machine, for whoever looks for a trouble.
type Diagnosis struct {
	Root        string    `json:"root"`
	Environment string    `json:"environment,omitempty"`
	Recorded    string    `json:"recorded,omitempty"` // the file that the machine was read from
	Chapters    []Chapter `json:"chapters"`
}

// Add puts a finding into the chapter of a name, which is the last one or a new one.
func (d *Diagnosis) Add(chapter string, f Finding) {
	if n := len(d.Chapters); n == 0 || d.Chapters[n-1].Name != chapter {
		d.Chapters = append(d.Chapters, Chapter{Name: chapter})
	}
	last := &d.Chapters[len(d.Chapters)-1]
	last.Findings = append(last.Findings, f)
}

// Count returns how many findings are in a state.
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

// Doctor prints a diagnosis: a line for each thing, what to do below it, and last the
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

// finding prints one line. On a narrow terminal, what was found stands under the
// name.
func (p *page) finding(f Finding, width int) {
	c := map[CheckState]color{OK: green, Warn: yellow, Fail: red, Unknown: yellow}[f.State]
	label := fmt.Sprintf("%-7s  ", f.State)
	name := Escape(f.Name)
	under := 2 + len(label) + width + 2
	if p.o.Width > 0 && p.o.Width-under < narrowest {
		p.folded(2, 2+len(label), c, label, f.Name+": "+f.Found)
		under = 2 + len(label)
	} else {
		p.beside(c, label, name+spaces(width-columns(name)+2), f.Found)
	}
	if f.Remedy != "" {
		p.hang(under, cyan, "do: ", f.Remedy)
	}
}

// beside prints a label in a color, a name, and a text that is folded under its own
// first word. The name is escaped already.
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
	text, c := "", green
	for _, s := range []struct {
		state     CheckState
		one, many string
	}{
		{OK, "ok", "ok"},
		{Warn, "warning", "warnings"},
		{Fail, "failure", "failures"},
		{Unknown, "unknown", "unknown"},
		{Skipped, "skipped", "skipped"},
	} {
		n := d.Count(s.state)
		if n == 0 {
			continue
		}
		word := s.many
		if n == 1 {
			word = s.one
		}
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%d %s", n, word)
		switch {
		case s.state == Fail:
			c = red
		case s.state == Warn && c == green:
			c = yellow
		}
	}
	p.last(c, "Doctor: ", text+".")
}

// DoctorJSON writes a diagnosis as one document with format version 1.
func DoctorJSON(w io.Writer, d *Diagnosis) error {
	return writeJSON(w, doctorDocument{Version, d, d.Count(Fail), d.Count(Warn)}, "  ")
}

// doctorDocument is a diagnosis for programs, format version 1.
type doctorDocument struct {
	Version int `json:"version"`
	*Diagnosis
	Failures int `json:"failures"`
	Warnings int `json:"warnings"`
}
