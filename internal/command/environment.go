package command

import (
	"cmp"
	"os"
	"os/user"
	"slices"
	"strings"
)

// environment returns extra and those defaults that extra does not set.
func environment(extra, defaults []string) []string {
	env := slices.Clone(extra)
	set := map[string]bool{}
	for _, kv := range extra {
		name, _, _ := strings.Cut(kv, "=")
		set[name] = true
	}
	for _, kv := range defaults {
		if name, _, _ := strings.Cut(kv, "="); !set[name] {
			env = append(env, kv)
		}
	}
	return env
}

// defaultVariables returns the variables that every child gets unless it is isolated.
func defaultVariables() []string {
	home, name := os.Getenv("HOME"), os.Getenv("USER")
	if home == "" || name == "" {
		if u, err := user.Current(); err == nil {
			home, name = cmp.Or(home, u.HomeDir), cmp.Or(name, u.Username)
		}
	}
	env := []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "TMPDIR=" + strings.TrimRight(os.TempDir(), "/")}
	if home != "" {
		env = append(env, "HOME="+home)
	}
	if name != "" {
		env = append(env, "USER="+name)
	}
	return env
}
