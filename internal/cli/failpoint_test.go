//go:build failpoints

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// saveBase moves the project and the store away, restores a copy of both, and returns the path
// for restore.
func (s *site) saveBase() string {
	s.t.Helper()
	base := s.root + ".base"
	check(s.t, os.Mkdir(base, 0o755))
	check(s.t, os.Rename(s.root, filepath.Join(base, "project")))
	if err := os.Rename(s.store(""), filepath.Join(base, "store")); !errors.Is(err, fs.ErrNotExist) {
		check(s.t, err)
	}
	s.restore(base)
	return base
}

// restore replaces the project and the store by a copy of base.
func (s *site) restore(base string) {
	s.t.Helper()
	check(s.t, os.RemoveAll(s.root))
	check(s.t, os.RemoveAll(s.store("")))
	if out, err := exec.Command("cp", "-a", base+"/.", filepath.Dir(s.root)).CombinedOutput(); err != nil {
		s.t.Fatalf("copy the start: %v\n%s", err, out)
	}
}

// passages runs reconcile and returns every passage of every failpoint: "name:1", "name:2" …
func (s *site) passages(args ...string) []string {
	s.t.Helper()
	list := filepath.Join(s.t.TempDir(), "list")
	s.with("RECONCILE_FAILPOINT_LIST="+list).want(0, args...)
	text, err := os.ReadFile(list)
	check(s.t, err)
	count := map[string]int{}
	var all []string
	for name := range strings.FieldsSeq(string(text)) {
		count[name]++
		all = append(all, fmt.Sprintf("%s:%d", name, count[name]))
	}
	return all
}

// runKilledAt runs reconcile, which must kill itself at the given passage of a failpoint.
func (s *site) runKilledAt(at string, args ...string) {
	s.t.Helper()
	if e := s.with("RECONCILE_FAILPOINT=" + at).run(args...); e.signal != syscall.SIGKILL {
		s.t.Fatalf("reconcile was not killed at %s: %s", at, e)
	}
}

// failpoints returns the names of the failpoints of passages.
func failpoints(passages []string) map[string]bool {
	names := map[string]bool{}
	for _, at := range passages {
		name, _, _ := strings.Cut(at, ":")
		names[name] = true
	}
	return names
}
