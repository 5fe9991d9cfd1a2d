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

// SystemProblem returns the problem of a machine whose C library or macOS does not support the
// locked wheels, nil for none. An unknown version is left to the installer.
func SystemProblem(closure []lock.Dist, host facts.Host) *diag.Problem {
	system, key, prefix, needs := "glibc", "glibc", "2.", lock.Glibc
	version := host.Libc.Version
	switch {
	case host.Libc.Name == "musl":
		return muslProblem(closure)
	case host.OS == "darwin":
		system, key, prefix, needs, version = "macOS", "macos", "", lock.MacOS, host.OSVersion
	case host.Libc.Name != "glibc":
		return nil
	}
	digits, ok := strings.CutPrefix(version, prefix)
	digits, _, _ = strings.Cut(digits, ".")
	have, err := strconv.Atoi(digits)
	if !ok || err != nil {
		return nil
	}
	newer, least := newerWheels(closure, have, needs, system+" "+prefix)
	if len(newer) == 0 {
		return nil
	}
	hint := fmt.Sprintf("use a system with %s %s%d or newer", system, prefix, least)
	if key == "macos" || have >= lock.OldestGlibc {
		hint += fmt.Sprintf("\nor lock wheels that this one supports: write %s: \"%s%d\" in the environment, then run `reconcile lock`, which names the packages without such wheels", key, prefix, have)
	}
	return &diag.Problem{
		Code:    "environment.libc",
		Summary: fmt.Sprintf("this machine has %s %s, which is too old for %s", system, version, plural.Count(len(newer), "locked wheel")),
		Found:   strings.Join(newer[:min(len(newer), 10)], "\n"),
		Hint:    hint,
	}
}

// newerWheels returns texts about the wheels that need a newer system than have, and the newest
// one that they need.
func newerWheels(closure []lock.Dist, have int, needs func(file string) int, system string) (newer []string, least int) {
	for _, d := range closure {
		for _, w := range d.Wheels {
			if n := needs(w.File); n > have {
				newer = append(newer, fmt.Sprintf("%s needs %s%d", w.File, system, n))
				least = max(least, n)
			}
		}
	}
	return newer, least
}

// muslProblem returns the problem of a machine with musl, nil if no wheel needs glibc.
func muslProblem(closure []lock.Dist) *diag.Problem {
	compiled, _ := newerWheels(closure, 0, lock.Glibc, "glibc 2.")
	if len(compiled) == 0 {
		return nil
	}
	return &diag.Problem{
		Code: "environment.libc", Summary: "the lock contains wheels for glibc, and this machine has musl",
		Found: strings.Join(compiled[:min(len(compiled), 10)], "\n"),
		Hint:  "use a system with glibc: Debian, Ubuntu, Fedora",
	}
}
