package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/hubtest"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// A storyTB lets a story use package hubtest.
type storyTB struct{ *testscript.TestScript }

func (storyTB) Helper() {}

func (t storyTB) Fatal(args ...any) { t.Fatalf("%v", args) }

// hubModel writes a small model into a cache: hubmodel CACHE REPO REVISION SHARDS.
func hubModel(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: hubmodel CACHE REPO REVISION SHARDS")
	}
	shards, err := strconv.Atoi(args[3])
	ts.Check(err)
	hubtest.New(storyTB{ts}, ts.MkAbs(args[0]), args[1], args[2]).Sharded(shards, 1000)
	time.Sleep(60 * time.Millisecond) // digests of files younger than a clock tick are not saved
}

// newModelProject creates a project with a small model.
func newModelProject(t *testing.T) (dir string, made *hubtest.Model) {
	t.Helper()
	const repo, revision = "meta-llama/Tiny", "0e9e39f249a16976918f6564b8830bc894c89659"
	dir = t.TempDir()
	writeFile(t, filepath.Join(dir, "manifest.yaml"), "version: 1\nproject: story\ndirectories: {models: {path: models}}\nmodels: [{repo: "+repo+", revision: "+revision+"}]\n")
	made = hubtest.New(t, filepath.Join(dir, "models"), repo, revision)
	made.Sharded(3, 1000)
	return dir, made
}

// TestModelsVerifiedConcurrently checks that concurrent verifications succeed, and that all
// digests are saved afterwards.
func TestModelsVerifiedConcurrently(t *testing.T) {
	t.Parallel()
	dir, _ := newModelProject(t)
	time.Sleep(60 * time.Millisecond)
	var running sync.WaitGroup
	for range 6 {
		running.Go(func() {
			if out, err := exec.Command("reconcile", "-C", dir, "models", "verify").CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	running.Wait()
	out, err := exec.Command("reconcile", "-C", dir, "models", "verify").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "nothing had to be hashed again") {
		t.Errorf("%v\n%s", err, out)
	}
	left, err := filepath.Glob(layout.Digests(stateOf(dir)) + "*")
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// stateOf returns the state directory of a project in the store of the tests.
func stateOf(dir string) string {
	root := must(filepath.EvalSymlinks(dir))
	return layout.State(must(filepath.EvalSymlinks(os.Getenv("RECONCILE_STORE"))), root)
}

// TestModelsInterrupted checks that an interrupted verification ends at once with 130 and saves
// the digests of the files that it has hashed.
func TestModelsInterrupted(t *testing.T) {
	t.Parallel()
	dir, made := newModelProject(t)
	made.Put("consolidated.bin", []byte("x"), true)
	if err := os.Truncate(made.Blob("consolidated.bin"), 1<<40); err != nil {
		t.Skip("this file system has no file of 1 TiB: " + err.Error())
	}
	time.Sleep(60 * time.Millisecond)

	verify := func() *exec.Cmd { return exec.Command("reconcile", "-C", dir, "models", "verify", "-j", "2") }
	cmd := verify()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	check(t, cmd.Start())
	time.Sleep(1500 * time.Millisecond) // the small files take a moment, the large one an hour
	check(t, cmd.Process.Signal(os.Interrupt))
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		_ = cmd.Process.Signal(syscall.SIGKILL)
		t.Fatal("the verification did not end")
	}
	if code := cmd.ProcessState.ExitCode(); code != exit.Interrupted || !strings.Contains(out.String(), "models.interrupted") {
		t.Fatalf("exit code %d\n%s", code, out.String())
	}
	kept, err := os.ReadFile(layout.Digests(stateOf(dir)))
	if n := bytes.Count(kept, []byte("\n")); err != nil || n != 1+6 {
		t.Errorf("the digests of %d files are saved, want the 6 small ones: %v\n%s", n-1, err, kept)
	}
}
