package report

import (
	"io"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// Problems prints each problem in err with its position, the line of the file, its cause
// and a hint. It prints nothing for a nil error.
func Problems(w io.Writer, err error, o Options) error {
	p := newPage(w, o)
	for i, problem := range diag.Problems(err) {
		if i > 0 {
			p.blank()
		}
		p.problem(viewProblem(problem))
	}
	return p.close()
}

// ProblemsJSON writes the problems in err as one document.
func ProblemsJSON(w io.Writer, err error) error {
	problems := diag.Problems(err)
	if problems == nil {
		problems = []*diag.Problem{}
	}
	return writeJSON(w, problemsDocument{Version, problems}, "  ")
}

// problemsDocument is printed instead of the result of a command with --json that fails.
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
func (p *page) problem(v problemView) {
	label, c := "error: ", red
	if v.Warning {
		label, c = "warning: ", yellow
	}
	p.hang(0, c, label, v.Headline)
	if v.Source != "" {
		p.raw(spaces(4) + p.paint(faint, v.Source) + "\n")
	}
	if len(v.Found) > 0 {
		p.hang(2, faint, "found: ", strings.Join(v.Found, "\n"))
	}
	if len(v.Hint) > 0 {
		p.hang(2, cyan, "hint: ", strings.Join(v.Hint, "\n"))
	}
}
