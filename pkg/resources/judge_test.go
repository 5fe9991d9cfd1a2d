package resources

import (
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// TestJudge holds that the worst problem leads, and that none gets lost.
func TestJudge(t *testing.T) {
	if c := CheckResult("fine"); c.Action != None || c.Problem != nil || c.Summary != "fine" {
		t.Errorf("nothing is wrong, and yet: %+v", c)
	}
	warn := func(code string) *diag.Problem {
		return &diag.Problem{Code: code, Severity: diag.Warn, Summary: code + " happened", Hint: "mend " + code}
	}
	c := CheckResult("", warn("a"), warn("b"))
	if c.Action != None || c.Problem.Code != "a" || c.Problem.Found != "also b: b happened\n  mend b" {
		t.Errorf("two warnings: %+v, %v", c, c.Problem)
	}
	fail := &diag.Problem{Code: "f", Summary: "failed", Found: "this", Hint: "mend f"}
	c = CheckResult("", warn("a"), fail, warn("b"))
	if c.Action != Blocked || c.Problem.Code != "f" || c.Problem.Found != "this\nalso a: a happened\n  mend a\nalso b: b happened\n  mend b" {
		t.Errorf("a failure among warnings: %+v, %v", c, c.Problem)
	}
}
