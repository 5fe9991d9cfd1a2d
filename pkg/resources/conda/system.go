package conda

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// systemProblem reports a machine that is older than a locked package needs. Packages
// express that as a dependency on a virtual package, "__glibc >=2.28", which nothing else
// checks, because locked packages are installed without solving.
func (s *Spec) systemProblem(host facts.Host) *diag.Problem {
	virtual, system, version := "__glibc", "glibc", host.Libc.Version
	if host.OS == "darwin" {
		virtual, system, version = "__osx", "macOS", host.OSVersion
	}
	have, err := semver.NewVersion(version)
	if err != nil {
		return nil // unknown version
	}
	var newer []string
	most := have
	for i := range s.Packages {
		p := &s.Packages[i]
		for _, d := range p.Depends {
			need := lowerBound(d, virtual)
			if need == nil || !need.GreaterThan(have) {
				continue
			}
			newer = append(newer, fmt.Sprintf("%s %s needs %s %s", p.Name, p.Version, system, need.Original()))
			if need.GreaterThan(most) {
				most = need
			}
		}
	}
	if len(newer) == 0 {
		return nil
	}
	return &diag.Problem{
		Code:    "environment.libc",
		Summary: fmt.Sprintf("this machine has %s %s, and locked conda packages need a newer one", system, version),
		Found:   strings.Join(newer[:min(len(newer), 10)], "\n"),
		Hint:    fmt.Sprintf("use a system with %s %s or newer, or pin versions that need less", system, most.Original()),
	}
}

// lowerBound returns the lower bound of a dependency on a package, nil for none: 2.28 for
// "__glibc >=2.28,<3.0.a0".
func lowerBound(dependency, name string) *semver.Version {
	spec, ok := strings.CutPrefix(dependency, name+" ")
	if !ok {
		return nil
	}
	for part := range strings.SplitSeq(spec, ",") {
		bound, ok := strings.CutPrefix(strings.TrimSpace(part), ">=")
		if !ok {
			continue
		}
		if v, err := semver.NewVersion(strings.Fields(bound + " 0")[0]); err == nil {
			return v
		}
	}
	return nil
}
