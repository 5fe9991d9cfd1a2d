package resources

import (
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// PathProblem returns why an object of a type cannot be put at p, or nil if p is absent
// or has that type. An object of another type is never replaced: it may be the user's
// only copy.
func PathProblem(p facts.Path, want facts.PathType) *diag.Problem {
	if p.Parent != "" {
		hint := "move it away, or change the path in the manifest"
		if strings.HasPrefix(p.Parent, "link ") {
			hint = "replace it with a directory, or use its target in the manifest: only links that the manifest declares are followed"
		}
		return &diag.Problem{
			Code:    "path.parent",
			Summary: fmt.Sprintf("a parent of %q is not a plain directory", p.Path),
			Found:   p.Parent,
			Hint:    hint,
		}
	}
	if p.Type == facts.Absent || p.Type == want {
		return nil
	}
	return &diag.Problem{
		Code:    "path.in-the-way",
		Summary: fmt.Sprintf("%q exists and is not a %s", p.Path, want),
		Found:   DescribePath(p),
		Hint:    fmt.Sprintf("move it away (`mv %s`), or change the path in the manifest", ShellJoin(p.Path, p.Path+".old")),
	}
}

// SetPathMode returns the change of a file or directory that differs in its mode alone.
func SetPathMode(actual facts.Path, mode facts.Mode) Change {
	predicted := actual
	predicted.Mode = mode
	return Change{
		Action:   Update,
		Fields:   []Field{{Path: "mode", Actual: actual.Mode.String(), Desired: mode.String()}},
		Steps:    []Step{SetMode{Path: actual.Path, Mode: mode}},
		Predicts: []facts.Fact{predicted},
	}
}

// DescribePath describes the object at a path in one phrase: "a link to ../data".
func DescribePath(p facts.Path) string {
	switch p.Type {
	case facts.Regular:
		return "a file of " + bytesize.Format(p.Size)
	case facts.Dir:
		return "a directory"
	case facts.Symlink:
		return "a link to " + p.Target
	case facts.Absent:
		return "nothing"
	}
	return "a device, socket or pipe"
}
