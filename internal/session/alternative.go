package session

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// gpuKinds are the requirements of an environment on the driver and the GPUs.
var gpuKinds = []string{"cuda", "gpu", "compat"}

// wrongPackages are the codes of problems of locked packages that another lock may not have.
var wrongPackages = []string{"compat.no-kernels", "compat.on-cpu", "compat.cpu-build", "compat.bitsandbytes", "lock.platform"}

// addAlternatives adds to the errors of locked packages the environments of the manifest that run
// on this machine: they need no other versions, which may not fit the rest of a lock.
func (m *Machine) addAlternatives(p *planner.Plan) {
	for i := range p.Items {
		item := &p.Items[i]
		if item.Change.Problem == nil || !slices.Contains(wrongPackages, item.Change.Problem.Code) {
			continue
		}
		var ways []string
		for _, e := range m.Manifest.Environments {
			if !slices.Contains(m.Envs, e) && e.RequiresGPU() && m.passes(e) {
				ways = append(ways, fmt.Sprintf("use environment %s, which runs on this machine: `reconcile plan --env %s`", e.Name, e.Name))
			}
		}
		problem := *item.Change.Problem
		problem.Hint = strings.Join(append(ways, problem.Hint), "; or ")
		item.Change.Problem = &problem
	}
}

// passes reports whether the requirements of an environment on the driver and the GPUs are met,
// and its lock has a torch for this platform.
func (m *Machine) passes(e *manifest.Environment) bool {
	list, err := m.Manifest.Resources(m.Selection, []*manifest.Environment{e})
	if err != nil {
		return false
	}
	compared := false
	for _, r := range list {
		if !slices.Contains(gpuKinds, r.Addr.Kind) || r.Addr.Name != e.Name {
			continue
		}
		if !m.Facts.HasAll(r.Spec.Reads()) || r.Spec.Diff(facts.NewView(m.Facts, r.Spec.Reads())).Action == resources.Blocked {
			return false
		}
		compared = compared || r.Addr.Kind == "compat"
	}
	return compared
}
