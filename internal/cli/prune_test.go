package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A randomProject is a project with random manifests, on which commands run in this process.
type randomProject struct {
	t    *rapid.T
	root string
}

// newRandomProject creates an empty project, which is removed at the end of t.
func newRandomProject(t *rapid.T) *randomProject {
	dir, err := os.MkdirTemp(memoryDir(), "random")
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "project")
	check(t, os.Mkdir(root, 0o755))
	return &randomProject{t: t, root: root}
}

// store returns the store of the project.
func (d *randomProject) store() string { return filepath.Join(filepath.Dir(d.root), "store") }

// run runs reconcile and returns its exit code and its output.
func (d *randomProject) run(args ...string) (int, string) {
	var out strings.Builder
	code := Main(append([]string{"-C", d.root}, args...), Streams{nil, &out, &out}, []string{"HOME=" + d.root, "RECONCILE_STORE=" + d.store()})
	return code, out.String()
}

func (d *randomProject) want(code int, args ...string) string {
	got, out := d.run(args...)
	if got != code {
		d.t.Fatalf("reconcile %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, out)
	}
	return out
}

// writeManifest draws a manifest of directories and files at few paths.
func (d *randomProject) writeManifest(label string) {
	text := "version: 1\nproject: random\ndirectories:\n  always: {path: always}\n"
	for _, at := range []string{"a", "b", "a/c", "a/c/d"} {
		if rapid.Bool().Draw(d.t, label+" has directory "+at) {
			text += fmt.Sprintf("  %s: {path: %s}\n", strings.ReplaceAll(at, "/", "_"), at)
		}
	}
	text += "files:\n  - {path: always.txt, content: x}\n"
	for _, at := range []string{"x.txt", "a/x.txt", "a/c/x.txt", "b/x.txt"} {
		if content := rapid.SampledFrom([]string{"", "", "one", "two"}).Draw(d.t, label+" has file "+at); content != "" {
			text += fmt.Sprintf("  - {path: %s, content: %s}\n", at, content)
		}
	}
	d.write("manifest.yaml", text)
}

func (d *randomProject) write(name, text string) {
	full := filepath.Join(d.root, name)
	check(d.t, os.MkdirAll(filepath.Dir(full), 0o755))
	check(d.t, os.WriteFile(full, []byte(text), 0o644))
}

// editFiles draws changes of the user: own files, edits of managed files, removals. It returns
// the files that the user wrote.
func (d *randomProject) editFiles(label string) map[string]string {
	mine := map[string]string{}
	for _, at := range []string{"a/mine", "a/c/mine", "b/mine", "x.txt", "a/x.txt"} {
		switch rapid.SampledFrom([]string{"", "", "write", "remove"}).Draw(d.t, label+" does to "+at) {
		case "write":
			if info, err := os.Lstat(filepath.Join(d.root, filepath.Dir(at))); err == nil && info.IsDir() {
				d.write(at, "mine "+label)
				mine[at] = "mine " + label
			}
		case "remove":
			check(d.t, os.RemoveAll(filepath.Join(d.root, at)))
		}
	}
	return mine
}

// isKept reports whether a file below kept/ has a content.
func (d *randomProject) isKept(content string) bool {
	found, _ := filepath.Glob(filepath.Join(d.store(), "projects/*/kept/*"))
	for _, name := range found {
		if text, err := os.ReadFile(name); err == nil && string(text) == content {
			return true
		}
	}
	return false
}

// TestPruneWithRealFiles draws manifests, and changes of a user between applies. After each
// apply the plan is empty and everything that the user wrote is at its path or below kept/. A
// lost state removes nothing, and destroy leaves the user's files.
func TestPruneWithRealFiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newRandomProject(t)
		for n := range 3 {
			label := fmt.Sprint("round ", n)
			mine := d.editFiles(label)
			d.writeManifest(label)
			if rapid.IntRange(0, 9).Draw(t, label+" loses the state") == 0 {
				d.removeState()
				d.checkDeletesNothing()
			}
			d.want(0, "apply", "-y", "-q")
			for name, content := range mine {
				text, err := os.ReadFile(filepath.Join(d.root, name))
				if (err != nil || string(text) != content) && !d.isKept(content) {
					t.Fatalf("%s has %q (%v), and %q is not kept", name, text, err, content)
				}
			}
			d.want(0, "plan", "--detailed-exitcode")
		}
		d.write("a/late", "late")
		d.want(0, "destroy", "-y", "-q")
		if text, err := os.ReadFile(filepath.Join(d.root, "a/late")); err != nil || string(text) != "late" {
			t.Fatalf("destroy removed the user's file: %v", err)
		}
		d.want(0, "apply", "-y", "-q")
		d.want(0, "plan", "--detailed-exitcode")
	})
}

// memoryDir returns a directory in memory, where fsync is fast, or "" if there is none.
func memoryDir() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

func (d *randomProject) removeState() {
	check(d.t, os.RemoveAll(d.store()))
}

func (d *randomProject) checkDeletesNothing() {
	if out := d.want(0, "plan"); strings.Contains(out, "Deletes ") {
		d.t.Fatalf("without a state the plan deletes a resource:\n%s", out)
	}
}
