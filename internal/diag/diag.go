// Package diag describes errors that a user can act on: a line of the manifest to change,
// a tool to install, a disk to free.
package diag

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Pos is a position in a file. Line and Col count from 1; the zero value is an unknown
// position.
type Pos struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"col,omitempty"`
}

// IsValid reports whether p has a line.
func (p Pos) IsValid() bool { return p.Line > 0 }

// String returns file:line:col, or the file if the line is not known.
func (p Pos) String() string {
	switch {
	case p.Line > 0 && p.Col > 0:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
	case p.Line > 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return p.File
}

// Compare orders positions by file, line and column.
func (p Pos) Compare(q Pos) int {
	return cmp.Or(cmp.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Col, q.Col))
}

// Severity tells whether a Problem stops the run. The zero value is Fail.
type Severity string

const (
	Fail Severity = ""     // the run stops
	Warn Severity = "warn" // the problem is printed
)

// A Problem is an error that a user can act on.
type Problem struct {
	Code     string   `json:"code"`               // stable name for scripts and searches, such as "manifest.unknown-key"
	Severity Severity `json:"severity,omitempty"` // "" stops the run, "warn" does not
	Pos      Pos      `json:"pos,omitzero"`       // of the manifest line that causes it
	Addr     string   `json:"addr,omitempty"`     // the resource, such as venv.local
	Summary  string   `json:"summary"`            // lower case, no final period
	Source   string   `json:"source,omitempty"`   // the offending line as written
	Found    string   `json:"found,omitempty"`    // the actual state
	Hint     string   `json:"hint,omitempty"`     // the remedy, with commands to paste
	Packages []string `json:"-"`                  // normalised names, of packages that exist as source only
	// Keys are keys of the environment in the manifest, with values that resolve the problem.
	Keys map[string]string `json:"-"`
}

// Error returns the problem as one or more lines of text.
func (p *Problem) Error() string {
	var b strings.Builder
	if s := p.Pos.String(); s != "" {
		b.WriteString(s + ": ")
	}
	if p.Addr != "" {
		b.WriteString(p.Addr + ": ")
	}
	b.WriteString(p.Summary)
	for _, line := range []struct{ label, text string }{{"", p.Source}, {"found: ", p.Found}, {"hint: ", p.Hint}} {
		if line.text != "" {
			indented := strings.ReplaceAll(line.text, "\n", "\n"+strings.Repeat(" ", 2+len(line.label)))
			b.WriteString("\n  " + line.label + indented)
		}
	}
	return b.String()
}

// A List collects independent problems so that one run reports all of them. The zero
// value is ready to use.
type List struct{ errs *multierror.Error }

// Add appends p; nil is ignored.
func (l *List) Add(p *Problem) {
	if p != nil {
		l.errs = multierror.Append(l.errs, p)
	}
}

// AddErr appends Problems(err).
func (l *List) AddErr(err error) {
	for _, p := range Problems(err) {
		l.Add(p)
	}
}

// Len returns the number of problems.
func (l *List) Len() int {
	if l.errs == nil {
		return 0
	}
	return l.errs.Len()
}

// Err returns nil, or one error that holds all problems, sorted by position.
func (l *List) Err() error {
	if l.Len() == 0 {
		return nil
	}
	slices.SortStableFunc(l.errs.Errors, func(a, b error) int {
		return a.(*Problem).Pos.Compare(b.(*Problem).Pos)
	})
	l.errs.ErrorFormat = func(errs []error) string {
		lines := make([]string, len(errs))
		for i, err := range errs {
			lines[i] = err.Error()
		}
		return strings.Join(lines, "\n")
	}
	return l.errs.ErrorOrNil()
}

// Problems returns the problems that err wraps, in order. Another error becomes a Problem
// with code "internal"; nil gives none.
func Problems(err error) []*Problem {
	if err == nil {
		return nil
	}
	var many *multierror.Error
	if errors.As(err, &many) {
		var out []*Problem
		for _, e := range many.Errors {
			out = append(out, Problems(e)...)
		}
		return out
	}
	var one *Problem
	if errors.As(err, &one) {
		return []*Problem{one}
	}
	return []*Problem{{Code: "internal", Summary: err.Error()}}
}
