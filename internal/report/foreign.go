package report

import (
	"fmt"
	"path"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// ForeignLock returns the problem that another tool writes the lock of an environment, with its
// command. verb is add, remove or upgrade; without packages, upgrade is for all.
func ForeignLock(e *manifest.Environment, verb string, packages []string) *diag.Problem {
	p := &diag.Problem{
		Code: "edit.foreign", Pos: e.Pos, Summary: fmt.Sprintf("the packages of environment %s come from the lock of another tool", e.Name), Found: e.Lock,
		Hint: "change the packages with that tool, then `reconcile plan`",
	}
	if program, ok := strings.CutSuffix(path.Base(e.Lock), ".lock"); ok {
		words := append([]string{program, verb}, packages...)
		switch {
		case verb == "upgrade" && program == "uv":
			words = []string{"uv", "lock"}
			for _, name := range packages {
				words = append(words, "--upgrade-package", name)
			}
			if len(packages) == 0 {
				words = append(words, "--upgrade")
			}
		case verb == "upgrade":
			words[1] = "update"
		}
		p.Hint = fmt.Sprintf("`%s`, then `reconcile plan`", Command(words))
	}
	return p
}
