package locking

import (
	"fmt"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/nearest"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// UpgradeNames returns normalised names of packages for Options. A name that no environment
// requests or has locked is a problem.
func UpgradeNames(p *session.Project, names []string) (normalized []string, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	var known []string
	for _, env := range p.Manifest.Environments {
		for _, r := range env.Sources().Packages {
			known = append(known, pep.Normalize(r.Name))
		}
		l, _, err := p.Manifest.Locked(env)
		if err != nil {
			return nil, err
		}
		if l == nil {
			continue
		}
		for _, q := range l.Packages {
			known = append(known, q.Name)
		}
	}
	var problems diag.List
	for _, name := range names {
		normalized = append(normalized, pep.Normalize(name))
		if slices.Contains(known, pep.Normalize(name)) {
			continue
		}
		problem := &diag.Problem{Code: "edit.absent", Pos: diag.Pos{File: p.Name}, Summary: fmt.Sprintf("no environment requests %s, and no lock has it", name), Hint: "`reconcile tree` prints the locked packages"}
		if near := nearest.Word(name, known); near != "" {
			problem.Hint = fmt.Sprintf("did you mean %q?", near)
		}
		problems.Add(problem)
	}
	return normalized, problems.Err()
}
