package cli

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/store"
)

// TestStoreOnAnotherFileSystem applies, rolls back, undoes, prunes and collects garbage with the
// store and the project on different file systems. Packages are links within the store.
func TestStoreOnAnotherFileSystem(t *testing.T) {
	t.Parallel()
	x := newMirror(t, wheel{name: "beta", version: "1.0"}, wheel{name: "beta", version: "2.0"})
	s := newSite(t, x.indexURL())
	check(t, os.Mkdir(s.store(""), 0o700))
	mountTmpfs(t, s.store(""), "mode=700")
	s.pin("beta==1.0")
	s.checkConverges()
	installed := must(os.Stat(s.installed("beta/__init__.py")))
	unpacked := must(filepath.Glob(layout.Dists(s.store("")) + "/*/files/beta/__init__.py"))
	if len(unpacked) != 1 || !os.SameFile(installed, must(os.Stat(unpacked[0]))) {
		t.Errorf("the installed file is no link to %v", unpacked)
	}
	text := strings.Replace(environmentManifest("beta==2.0"), `"read me\n"`, `"second\n"`, 1)
	s.write("manifest.yaml", text)
	s.want(0, "lock", "--env", "local")
	s.checkConverges()
	s.want(0, "undo", "-y", "--env", "local")
	if got := string(must(os.ReadFile(s.path("data/readme.txt")))); got != "read me\n" {
		t.Errorf("undo restored %q", got)
	}
	s.checkConverges()
	s.want(0, "rollback", "--env", "local")
	s.wantImports("1.0", "beta")
	s.checkConverges()
	s.want(0, "gc", "-y", "--keep", "0", "--env", "local")
	s.write("manifest.yaml", strings.Replace(text, "  - {path: data/readme.txt, content: \"second\\n\"}\n", "  - {path: other.txt, content: \"\"}\n", 1))
	s.want(0, "apply", "-y", "--env", "local")
	if _, err := os.Lstat(s.path("data/readme.txt")); err == nil {
		t.Error("prune left the file")
	}
	s.want(0, "destroy", "-y", "--env", "local")
	if _, err := os.Lstat(s.path(".venv")); err == nil {
		t.Error("destroy left the environment")
	}
	if trash := must(filepath.Glob(layout.Trash(s.stateDir()) + "/*")); len(trash) > 0 {
		t.Errorf("the trash has %v", trash)
	}
}

// TestPackagesAreCopied applies where packages and environments are on different file systems,
// so that there are neither clones nor links. The copies are reported once.
func TestPackagesAreCopied(t *testing.T) {
	t.Parallel()
	x := newMirror(t, wheel{name: "alpha", version: "1.0"}, wheel{name: "beta", version: "1.0"})
	s := newSite(t, x.indexURL())
	check(t, store.Make(s.store("")))
	check(t, os.MkdirAll(layout.Projects(s.store("")), 0o700))
	check(t, os.Chmod(s.store(""), 0o700))
	mountTmpfs(t, layout.Projects(s.store("")), "mode=700")
	s.pin("alpha==1.0", "beta==1.0")
	e := s.want(0, "apply", "-y", "--env", "local")
	if n := strings.Count(e.out+e.err, "packages are copied"); n != 1 {
		t.Errorf("the copies are reported %d times\n%s", n, e)
	}
	s.checkConverges()
	s.want(0, "verify", "--deep", "--env", "local")
	s.wantImports("1.0 1.0", "alpha", "beta")
}

// TestReadOnlyStore uses an environment whose store became read-only. Only what would change it
// is refused, with the mount point.
func TestReadOnlyStore(t *testing.T) {
	t.Parallel()
	x := newMirror(t, wheel{name: "beta", version: "1.0"}, wheel{name: "beta", version: "2.0"})
	s := newSite(t, x.indexURL())
	check(t, os.Mkdir(s.store(""), 0o700))
	mountTmpfs(t, s.store(""), "mode=700")
	s.pin("beta==2.0")
	s.checkConverges()
	next := must(os.ReadFile(s.path("locks/pylock.local.toml")))
	s.pin("beta==1.0")
	s.checkConverges()
	if out, err := exec.Command("mount", "-o", "remount,ro", s.store("")).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for _, words := range [][]string{
		{"plan", "--detailed-exitcode"}, {"status"}, {"verify"}, {"verify", "--deep"}, {"generations"}, {"apply", "-y"},
		{"run", "--", "python", "-c", "import beta"}, {"doctor", "--offline"},
	} {
		words = append([]string{words[0], "--env", "local"}, words[1:]...)
		want := 0
		if words[0] == "doctor" {
			want = 3 // it reports that the store cannot be written
		}
		e := s.run(words...)
		if e.code != want || want > 0 && !e.contains(s.store(""), "read-only") {
			t.Errorf("%v: %s", words, e)
		}
	}
	s.wantImports("1.0", "beta")
	s.write("manifest.yaml", environmentManifest("beta==2.0"))
	s.write("locks/pylock.local.toml", string(next))
	for _, words := range [][]string{{"plan"}, {"apply", "-y"}} {
		if e := s.run(append(words, "--env", "local")...); e.code == 0 || e.code == 4 || !e.contains("read-only", s.store("")) {
			t.Errorf("%v: %s", words, e)
		}
	}
	files := s.other("files")
	files.write("manifest.yaml", "version: 1\nproject: files\nfiles:\n  - {path: a.txt, content: a}\n")
	for _, command := range []string{"plan", "apply"} {
		if e := files.run(command); e.code != 3 || !e.contains("store.read-only", "mounted at "+s.store("")) {
			t.Errorf("%s of a file: %s", command, e)
		}
	}
	if e := s.run("gc", "--env", "local", "--keep", "0", "-y"); e.code != 1 || !e.contains("the file system of "+s.store("")+" is read-only", "remount,rw "+s.store("")) {
		t.Errorf("gc: %s", e)
	}
	if e := s.run("rollback", "--env", "local"); e.code == 0 || !e.contains("read-only") {
		t.Errorf("rollback: %s", e)
	}
	s.wantImports("1.0", "beta")
}

// TestStoreIsDeleted deletes the store while an apply downloads into it and while a program of the
// environment runs. The next apply creates both again.
func TestStoreIsDeleted(t *testing.T) {
	t.Parallel()
	x := newMirror(t, sharedWheels(2)...)
	s := newSite(t, x.indexURL())
	s.pin("shared0==1.0")
	s.checkConverges()
	program := s.startCommand(s.command(s.path(".venv/bin/python"), "-c", "import shared0, time; print(1, flush=True); time.sleep(600)"))
	s.waitUntil(program, "it runs", func() bool { return program.out.String() != "" })
	s.pin("shared0==1.0", "shared1==1.0")
	begun, proceed := make(chan bool), make(chan bool)
	x.setFault(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/files/") {
			begun <- true
			<-proceed
		}
		return false
	})
	p := s.start("apply", "-y", "--env", "local")
	<-begun
	check(t, os.RemoveAll(s.store("")))
	x.setFault(nil)
	close(proceed)
	if e := p.wait(); e.code != 4 || !e.contains("the store "+s.store("")+" was removed while it was being used (apply.store)", "hint: run `reconcile apply` again") {
		t.Errorf("the apply whose store was deleted: %s", e)
	}
	if e := s.run("run", "--env", "local", "--", "python", "-c", "1"); e.code != 1 || !e.contains("environment.absent", "hint: `reconcile apply --env local` builds it") {
		t.Errorf("run without a store: %s", e)
	}
	select {
	case <-program.done:
		t.Errorf("the running program ended: %s", program.wait())
	default:
	}
	s.checkConverges()
	s.wantImports("1.0 1.0", "shared0", "shared1")
	s.want(0, "verify", "--deep", "--env", "local")
}

// TestWheelLostInPowerFailure checks that an apply reads wheels again whose unpacked files may not
// have reached the disk when the machine stopped, and fetches those again that lost content.
func TestWheelLostInPowerFailure(t *testing.T) {
	t.Parallel()
	x := newMirror(t, append(sharedWheels(2), wheel{name: "broken", version: "1.0", init: "raise SystemExit(1)"}, wheel{name: "broken", version: "2.0"})...)
	s := newSite(t, x.indexURL())
	s.pin("shared0==1.0", "shared1==1.0", "broken==1.0")
	s.want(4, "apply", "-y", "--env", "local") // so that the wheels are unpacked and no generation is sealed
	for _, name := range must(filepath.Glob(layout.Dists(s.store("")) + "/*/entry.json")) {
		text, _, ok := strings.Cut(string(must(os.ReadFile(name))), `,"checksum":"`)
		after := regexp.MustCompile(`"boot":"[^"]*"`).ReplaceAllString(text, `"boot":"before"`)
		if !ok || after == text {
			t.Fatalf("%s has no boot or no checksum", name)
		}
		writeFile(t, name, fmt.Sprintf(`%s,"checksum":"%x"}`, after, sha256.Sum256([]byte(after))))
	}
	lost := must(filepath.Glob(layout.Dists(s.store("")) + "/*/files/shared0/large.bin"))[0]
	info := must(os.Stat(lost))
	check(t, os.WriteFile(lost, make([]byte, info.Size()), 0o644))
	check(t, os.Chtimes(lost, time.Time{}, info.ModTime()))
	s.pin("shared0==1.0", "shared1==1.0", "broken==2.0")
	count := x.downloads(nil)
	s.checkConverges()
	want := map[string]int{"shared0-1.0-py3-none-any.whl": 1, "broken-2.0-py3-none-any.whl": 1}
	for file, n := range count() {
		if n != want[file] {
			t.Errorf("%s was downloaded %d times, want %d", file, n, want[file])
		}
	}
	if count()["shared0-1.0-py3-none-any.whl"] != 1 {
		t.Error("the wheel that lost content was not fetched again")
	}
	s.want(0, "verify", "--deep", "--env", "local")
	for _, dir := range must(filepath.Glob(layout.Dists(s.store("")) + "/*")) {
		if _, err := os.Stat(filepath.Join(dir, "durable")); err != nil && !strings.Contains(string(must(os.ReadFile(dir+"/entry.json"))), `"broken"`) {
			t.Errorf("after the apply: %v", err)
		}
	}
}
