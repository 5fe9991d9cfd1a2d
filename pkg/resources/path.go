package resources

import (
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// InTheWay returns why a thing of type want cannot be put at p, or nil where the
// place is free or holds such a thing already. A change of type is never made:
// what stands there may be the user's only copy.
func PathProblem(p facts.Path, want facts.PathType) *diag.Problem {
	if p.Parent != "" {
		return parentInTheWay(p)
	}
	if p.Type == facts.Absent || p.Type == want {
		return nil
	}
	return &diag.Problem{
		Code:    "path.in-the-way",
		Summary: fmt.Sprintf("%q is to be a %s, and something else is in its place", p.Path, want),
		Found:   DescribePath(p),
		Hint:    fmt.Sprintf("look at it and move it away, or change the path in the manifest: mv %s %s", ShellQuote(p.Path), ShellQuote(p.Path+".old")),
	}
}

// parentInTheWay tells what stands on the way to p: a file, or a link that would
// lead everything below it elsewhere.
func parentInTheWay(p facts.Path) *diag.Problem {
	hint := "move it away, or change the path in the manifest"
	if strings.HasPrefix(p.Parent, "link ") {
		hint = "put a directory in its place, or name the place that it leads to in the manifest: links that the manifest does not declare are not followed"
	}
	return &diag.Problem{
		Code:    "path.parent",
		Summary: fmt.Sprintf("the way to %q is not made of plain directories", p.Path),
		Found:   p.Parent,
		Hint:    hint,
	}
}

// Describe says in one phrase what stands at a path: "a link to ../data".
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
