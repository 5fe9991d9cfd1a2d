package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/outputschema"
)

// environmentOf returns a manifest with an environment of packages of version 1.0.
func environmentOf(packages ...string) string {
	var pins strings.Builder
	for _, name := range packages {
		fmt.Fprintf(&pins, "      - {name: %s, version: \"1.0\"}\n", name)
	}
	return `version: 1
project: shared
environments:
  local:
    type: venv
    match: {gpu: none}
    path: .venv
    python: "3.10"
    lock: pylock.toml
    platforms: [linux-x86_64, macos-arm64]
    packages:
` + pins.String()
}

// longAgo returns a time before which unused files are removed.
func longAgo() time.Time { return time.Now().Add(-90 * 24 * time.Hour) }

// TestStorePruneBesideApplies prunes the store again and again while another project is applied
// with other packages each time: no apply fails, and its environment is intact.
func TestStorePruneBesideApplies(t *testing.T) {
	t.Parallel()
	x := newMirror(t, wheel{name: "alpha", version: "1.0"}, wheel{name: "beta", version: "1.0"}, wheel{name: "gamma", version: "1.0"})
	s := newSite(t, x.indexURL())
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				t.Logf("%d prunes", n)
				return
			default:
			}
			if e := s.run("-C", filepath.Dir(s.root), "store", "prune", "-y", "--lock-timeout", "1m"); e.code != 0 {
				t.Errorf("prune: %s", e)
			}
		}
	})
	for i, packages := range [][]string{{"alpha"}, {"beta"}, {"alpha", "gamma"}, {"gamma"}} {
		s.write("manifest.yaml", environmentOf(packages...))
		s.want(0, "lock")
		s.want(0, "apply", "-y", "--env", "local")
		s.want(0, "verify", "--deep", "--env", "local")
		s.want(0, "plan", "--detailed-exitcode", "--env", "local")
		s.want(0, "run", "--env", "local", "--", "python", "-c", "import "+packages[0])
		if i > 0 {
			s.want(0, "gc", "-y", "--keep", "0", "--env", "local")
		}
	}
	close(stop)
	wg.Wait()
	s.want(0, "store", "prune", "-y")
	if entries, err := filepath.Glob(s.store("dists/*")); err != nil || len(entries) != 1 {
		t.Errorf("%v remain, %v", entries, err)
	}
}

// TestStorePruneKeepsTheProgramOfADeletedProject runs the Python of an environment whose project
// is deleted.
func TestStorePruneKeepsTheProgramOfADeletedProject(t *testing.T) {
	t.Parallel()
	x := newMirror(t, wheel{name: "alpha", version: "1.0"})
	s := newSite(t, x.indexURL())
	s.write("manifest.yaml", environmentOf("alpha"))
	s.want(0, "lock")
	s.want(0, "apply", "-y", "--env", "local")
	above := filepath.Dir(s.root)
	p := s.startCommand(s.command(s.path(".venv/bin/python"), "-c", "import sys, alpha; sys.stderr.write('imported\\n'); sys.stderr.flush(); sys.stdin.read(); import time; time.sleep(60)"))
	for start := time.Now(); !strings.Contains(p.err.String(), "imported"); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > limit {
			t.Fatalf("it does not start: %s", p.err.String())
		}
	}
	check(t, os.Rename(s.root, s.root+"2"))
	s.root = above // for the next commands
	prune := []string{"store", "prune", "--gone", "-y"}
	if e := s.want(4, prune...); !e.contains("kept "+above+"/project: process ", "(python") {
		t.Errorf("%s", e)
	}
	check(t, p.cmd.Process.Kill())
	p.wait()
	s.want(0, prune...)
	for _, dir := range []string{"projects", "dists", "trash"} {
		if names, err := os.ReadDir(filepath.Join(above, "store", dir)); err != nil || len(names) > 0 {
			t.Errorf("%s has %v, %v", dir, names, err)
		}
	}
}

func TestStoreOutputsMatchTheirSchemas(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.write("manifest.yaml", "version: 1\nproject: schemas\nfiles:\n  - {path: a.txt, content: \"hello\\n\"}\n")
	for _, command := range [][]string{{"store"}, {"store", "prune"}, {"apply", "-y"}, {"store"}, {"store", "prune", "--budget", "0B"}} {
		e := s.want(0, append(command, "--json")...)
		if command[0] == "store" {
			name := map[int]string{1: "store"}[len(command)]
			if name == "" {
				name = "prune"
			}
			outputschema.Load(t, name).Check(t, []byte(e.out))
		}
	}
	check(t, os.RemoveAll(s.root))
	check(t, os.MkdirAll(s.root, 0o755))
	other := filepath.Join(filepath.Dir(s.root), "other")
	check(t, os.Rename(s.root, other))
	s.root = other
	outputschema.Load(t, "store").Check(t, []byte(s.want(0, "store", "--json").out))
	outputschema.Load(t, "prune").Check(t, []byte(s.want(0, "store", "prune", "--gone", "--dry-run", "--json").out))
	outputschema.Load(t, "prune").Check(t, []byte(s.want(0, "store", "prune", "--gone", "-y", "--json").out))
	outputschema.Load(t, "problems").Check(t, []byte(s.want(64, "store", "prune", "--project", "none", "--json").out))
}

// TestGCKeepsGenerationsOfOtherHosts collects a generation in which `reconcile run` of another
// host started a program, and then one in which a program of an earlier boot did.
func TestGCKeepsGenerationsOfOtherHosts(t *testing.T) {
	t.Parallel()
	x := newMirror(t, wheel{name: "alpha", version: "1.0"}, wheel{name: "beta", version: "1.0"})
	s := newSite(t, x.indexURL())
	s.write("manifest.yaml", environmentOf("alpha"))
	s.want(0, "lock")
	s.want(0, "apply", "-y", "--env", "local")
	s.want(0, "run", "--env", "local", "--", "true")
	leases, err := filepath.Glob(filepath.Join(s.stateDir(), "leases", "*"))
	if err != nil || len(leases) != 1 {
		t.Fatalf("the leases are %v, %v", leases, err)
	}
	text := string(must(os.ReadFile(leases[0])))
	var lease map[string]any
	check(t, json.Unmarshal([]byte(text), &lease))
	lease["host"], lease["namespace"] = "node2", "another"
	check(t, os.WriteFile(leases[0], must(json.Marshal(lease)), 0o600))
	s.write("manifest.yaml", environmentOf("beta"))
	s.want(0, "lock")
	s.want(0, "apply", "-y", "--env", "local")
	gc := []string{"gc", "-y", "--keep", "0", "--env", "local"}
	if e := s.want(4, gc...); !e.contains("kept ", " on node2, started ", ", may use it") {
		t.Errorf("%s", e)
	}
	lease["time"] = longAgo()
	check(t, os.WriteFile(leases[0], must(json.Marshal(lease)), 0o600))
	if e := s.want(0, gc...); !e.contains("Freed ", "are unused: `reconcile store prune` frees them") {
		t.Errorf("%s", e)
	}
}
