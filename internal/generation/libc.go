package generation

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/plural"
)

// LibcProblem returns the problem of a machine whose C library does not support the
// locked wheels, nil for none. An unknown version is left to the installer.
func LibcProblem(closure []lock.Dist, host facts.Host) *diag.Problem {
	if host.Libc.Name == "musl" {
		return &diag.Problem{
			Code: "environment.libc", Summary: "the lock contains wheels for glibc, and this machine has musl",
			Hint: "use a system with glibc: Debian, Ubuntu, Fedora",
		}
	}
	digits, ok := strings.CutPrefix(host.Libc.Version, "2.")
	have, err := strconv.Atoi(digits)
	if !ok || err != nil || host.Libc.Name != "glibc" {
		return nil
	}
	var newer []string
	least := 0
	for _, d := range closure {
		for _, w := range d.Wheels {
			if n := lock.Glibc(w.File); n > have {
				newer = append(newer, fmt.Sprintf("%s needs glibc 2.%d", w.File, n))
				least = max(least, n)
			}
		}
	}
	if len(newer) == 0 {
		return nil
	}
	return &diag.Problem{
		Code:    "environment.libc",
		Summary: fmt.Sprintf("this machine has glibc %s, which is too old for %s", host.Libc.Version, plural.Count(len(newer), "locked wheel")),
		Found:   strings.Join(newer[:min(len(newer), 10)], "\n"),
		Hint:    fmt.Sprintf("use a system with glibc 2.%d or newer, or pin versions whose wheels need less", least),
	}
}
