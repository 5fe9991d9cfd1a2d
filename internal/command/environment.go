package command

import (
	"os"
	"os/user"
	"strings"
)

// environment returns what a child gets: extra, and the few variables that every
// child gets unless extra sets them.
func environment(extra []string) []string {
	env := append([]string(nil), extra...)
	set := map[string]bool{}
	for _, kv := range extra {
		name, _, _ := strings.Cut(kv, "=")
		set[name] = true
	}
	for _, kv := range defaultVariables() {
		if name, _, _ := strings.Cut(kv, "="); !set[name] {
			env = append(env, kv)
		}
	}
	return env
}

// basic lists the variables that every child gets.
func defaultVariables() []string {
	home, name := os.Getenv("HOME"), os.Getenv("USER")
	if home == "" || name == "" {
		if u, err := user.Current(); err == nil {
			home, name = cmpOr(home, u.HomeDir), cmpOr(name, u.Username)
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

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
