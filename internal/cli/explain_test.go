package cli

import (
	"errors"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/report"
)

// TestExplainHint checks that the hint how to look up a code is printed on terminals only.
func TestExplainHint(t *testing.T) {
	var two diag.List
	two.Add(&diag.Problem{Code: "test.of-another", Summary: "x"})
	two.Add(&diag.Problem{Code: "disk.low", Summary: "y"})
	terminal := report.Options{Terminal: true}
	for name, c := range map[string]struct {
		err  error
		o    report.Options
		want string
	}{
		"a problem":           {&diag.Problem{Code: "lock.stale"}, terminal, "`reconcile explain lock.stale` explains it"},
		"the first explained": {two.Err(), terminal, "`reconcile explain disk.low` explains it"},
		"a pipe":              {&diag.Problem{Code: "lock.stale"}, report.Options{}, ""},
		"wrong usage":         {exit.Usage("x"), terminal, ""},
		"no problem":          {errors.New("x"), terminal, ""},
	} {
		_, err := exit.CodeOf(c.err)
		if got := explainHint(err, c.o); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
