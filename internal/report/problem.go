package report

import (
	"io"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// Problems prints what went wrong: each problem inside err with its place, the
// line of the file, what was found and what to do. A nil error prints nothing.
func Problems(w io.Writer, err error, o Options) error {
	p := newPage(w, o)
	for i, problem := range diag.Problems(err) {
		if i > 0 {
			p.blank()
		}
		p.problem(0, problem)
	}
	return p.close()
}

// ProblemsJSON writes the problems inside err as one document.
func ProblemsJSON(w io.Writer, err error) error {
	problems := diag.Problems(err)
	if problems == nil {
		problems = []*diag.Problem{}
	}
	return writeJSON(w, problemsDocument{Version, problems}, "  ")
}

// problemsDocument is what a command with --json prints in place of its result where
// it fails, format version 1.
type problemsDocument struct {
	Version  int             `json:"version"`
	Problems []*diag.Problem `json:"problems"`
}

// problem prints one problem, such as
//
//	error: manifest.yaml:14:7: venv.train: there is no Python 3.13 (python.absent)
//	    python: "3.13"
//	  found: 3.10.12, 3.12.4
//	  hint: …
func (p *page) problem(indent int, d *diag.Problem) {
	label, c := "error: ", red
	if d.Severity == diag.Warn {
		label, c = "warning: ", yellow
	}
	p.hang(indent, c, label, headline(d))
	p.remedy(indent+2, d)
}

// headline is the first line of a problem: place, resource, what is wrong, code.
func headline(d *diag.Problem) string {
	text := d.Summary
	if d.Addr != "" {
		text = d.Addr + ": " + text
	}
	if place := d.Pos.String(); place != "" {
		text = place + ": " + text
	}
	if d.Code != "" && d.Code != "internal" {
		text += " (" + d.Code + ")"
	}
	return text
}

// remedy prints what stands below the headline of a problem.
func (p *page) remedy(indent int, d *diag.Problem) {
	if d.Source != "" {
		p.raw(spaces(indent+2) + p.paint(faint, escapeCode(d.Source)) + "\n")
	}
	if d.Found != "" {
		p.hang(indent, faint, "found: ", d.Found)
	}
	if d.Hint != "" {
		p.hang(indent, cyan, "hint: ", d.Hint)
	}
}
