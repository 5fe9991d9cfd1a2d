package resources

import (
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// TestCheckResult checks that the worst problem comes first and the others are listed.
func TestCheckResult(t *testing.T) {
	if c := CheckResult("fine"); c.Action != None || c.Problem != nil || c.Summary != "fine" {
		t.Errorf("no problems: %+v", c)
	}
	warn := func(code string) *diag.Problem {
		return &diag.Problem{Code: code, Severity: diag.Warn, Summary: code + " happened", Hint: "fix " + code}
	}
	c := CheckResult("", warn("a"), warn("b"))
	if c.Action != None || c.Problem.Code != "a" || c.Problem.Found != "also b: b happened\n  fix b" {
		t.Errorf("two warnings: %+v, %v", c, c.Problem)
	}
	fail := &diag.Problem{Code: "f", Summary: "failed", Found: "this", Hint: "fix f"}
	c = CheckResult("", warn("a"), fail, warn("b"))
	if c.Action != Blocked || c.Problem.Code != "f" || c.Problem.Found != "this\nalso a: a happened\n  fix a\nalso b: b happened\n  fix b" {
		t.Errorf("a failure among warnings: %+v, %v", c, c.Problem)
	}
}
