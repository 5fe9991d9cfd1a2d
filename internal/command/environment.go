package command

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
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

// variables returns the variables that a program gets besides those in c.Env.
func (c *Command) variables() ([]string, error) {
	switch {
	case c.Isolated != "":
		private, err := privateVariables(c.Isolated)
		return append(private, offlineVariables()...), err
	case c.Private != "":
		return privateVariables(c.Private)
	}
	return defaultVariables(), nil
}

// privateVariables creates the home and temporary directories of a program in its private
// directory and returns the variables that it gets, none of them inherited.
func privateVariables(private string) ([]string, error) {
	home, temp := filepath.Join(private, "home"), filepath.Join(private, "tmp")
	for _, dir := range []string{home, temp} {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=" + home, "TMPDIR=" + temp, "USER=user", "PYTHONNOUSERSITE=1"}, nil
}

// defaultVariables returns the variables of a program without a private directory.
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
