package probes

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

func TestNewRequiresDirectory(t *testing.T) {
	m := newMachine(t)
	m.put(filepath.Join(m.root, "file"), "")
	for _, root := range []string{filepath.Join(m.root, "file"), filepath.Join(m.root, "absent")} {
		if _, err := New(root, "", nil); err == nil {
			t.Errorf("%s was accepted", root)
		}
	}
}

func TestProjectResolvesLinks(t *testing.T) {
	m := newMachine(t)
	m.link(m.root, m.root+"-link")
	p, err := newAt(m.sys, m.root+"-link", m.store, m.environ)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := facts.Find[facts.Project](p.Probe(context.Background(), []facts.Key{facts.ProjectKey}), facts.ProjectKey)
	if f.Root != m.root || f.Store != m.store || filepath.Dir(f.State) != filepath.Join(m.store, "projects") {
		t.Errorf("%+v", f)
	}
}

// TestEveryKeyIsAnswered probes existing, absent and invalid keys at once.
func TestEveryKeyIsAnswered(t *testing.T) {
	m := newMachine(t)
	m.put(filepath.Join(m.root, "a.txt"), "a")
	p := m.prober()
	p.Environments = map[string]layout.ActiveEnv{"local": {Path: ".venv", Type: "venv"}}
	bad := []facts.Key{
		facts.PathKey("../outside"), facts.PathKey("a//b"), facts.PathKey(""), facts.PathKey("a\x00b"), facts.PythonKey("3.10/../.."), facts.ToolKey("../uv"),
		facts.EnvironmentKey("other"),
		{Kind: "moon", Name: "x"},
	}
	good := append(p.AllKeys(), facts.PathKey("a.txt"), facts.PathKey("a.txt"), facts.PathKey("b/c"))
	f := p.Probe(context.Background(), append(good, bad...))
	for _, k := range good {
		if _, reason, ok := f.Lookup(k); !ok {
			t.Errorf("%s failed: %s", k, reason)
		}
	}
	for _, k := range bad {
		if fact, reason, ok := f.Lookup(k); ok || reason == "" || reason == "not probed" {
			t.Errorf("%s gave %v, %q", k, fact, reason)
		}
	}
	if b, err := json.Marshal(f); err != nil || len(b) == 0 {
		t.Error(err)
	}
}

func TestAllKeys(t *testing.T) {
	p := newMachine(t).prober()
	p.Environments = map[string]layout.ActiveEnv{"b": {Path: ".venv", Type: "venv"}, "a": {Path: "x", Type: "venv"}}
	keys := p.AllKeys(facts.PathKey("data"), facts.HostKey)
	for i := range keys[1:] {
		if keys[i].Compare(keys[i+1]) >= 0 {
			t.Errorf("%s before %s", keys[i], keys[i+1])
		}
	}
}

// TestHangingPath checks that a path that hangs does not affect the others.
func TestHangingPath(t *testing.T) {
	m := newMachine(t)
	var keys []facts.Key
	for i := range 500 {
		name := "d/" + string(rune('a'+i%26)) + strings.Repeat("x", i)
		keys = append(keys, facts.PathKey(name[:min(len(name), 200)]+string(rune('A'+i%20))+"/"+strings.Repeat("y", 1+i/20)))
	}
	hung := keys[137]
	p := m.prober()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p.deadline = 10 * time.Second
		p.stat = func(name string) {
			if name == hung.Name {
				<-release
			}
		}
		start := time.Now()
		f := p.Probe(context.Background(), keys)
		if took := time.Since(start); took > 13*time.Second {
			t.Errorf("took %v", took)
		}
		for _, k := range keys {
			_, reason, ok := f.Lookup(k)
			if ok != (k != hung) || k == hung && reason != "no answer in 10s" {
				t.Errorf("%s: %v, %q", k, ok, reason)
			}
		}
		close(release)
	})
}

// TestHangingFileSystem checks that the probe ends if every path hangs.
func TestHangingFileSystem(t *testing.T) {
	m := newMachine(t)
	var keys []facts.Key
	for i := range 1000 {
		keys = append(keys, facts.PathKey("d/"+strings.Repeat("x", 1+i%100)+"/"+strings.Repeat("y", 1+i/100)))
	}
	p := m.prober()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p.deadline = 10 * time.Second
		p.stat = func(string) { <-release }
		start := time.Now()
		f := p.Probe(context.Background(), keys)
		if took := time.Since(start); took > time.Minute {
			t.Errorf("took %v", took)
		}
		for _, k := range keys {
			if _, reason, ok := f.Lookup(k); ok || reason == "" || reason == "not probed" {
				t.Errorf("%s: %v, %q", k, ok, reason)
			}
		}
		close(release)
	})
}

func TestInterruptedProbe(t *testing.T) {
	m := newMachine(t)
	p := m.prober()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	release := make(chan struct{})
	p.stat = func(string) { <-release }
	keys := []facts.Key{facts.PathKey("a"), facts.PathKey("b"), facts.HostKey}
	f := p.Probe(ctx, keys)
	close(release)
	for _, k := range keys[:2] {
		if _, reason, ok := f.Lookup(k); ok || reason != "interrupted" {
			t.Errorf("%s: %v %q", k, ok, reason)
		}
	}
}

// TestProbeChangesNothing compares all files before and after all probes.
func TestProbeChangesNothing(t *testing.T) {
	m := newMachine(t)
	m.generation("g1")
	m.activate("g1")
	m.put(filepath.Join(m.root, "data/a.txt"), "a")
	before := snapshot(t, filepath.Dir(m.root))
	p := m.prober()
	p.Environments = map[string]layout.ActiveEnv{"local": {Path: ".venv", Type: "venv"}}
	p.Probe(context.Background(), append(p.AllKeys(), facts.PathKey("data/a.txt"), facts.DiskKey("none/yet")))
	if after := snapshot(t, filepath.Dir(m.root)); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}

// snapshot returns a line for each file: name, mode, size, modification time.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			fmt.Fprintln(&b, name, info.Mode(), info.Size(), info.ModTime().UnixNano())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
