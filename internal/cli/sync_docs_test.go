package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// section returns the commands for a shell below a heading of docs/sync.md.
func section(t *testing.T, heading string) string {
	t.Helper()
	page := string(must(os.ReadFile("../../docs/sync.md")))
	_, text, ok := strings.Cut(page, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("docs/sync.md has no %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var commands strings.Builder
	for i, block := range strings.Split(text, "```") {
		if body, ok := strings.CutPrefix(block, "sh\n"); ok && i%2 == 1 {
			commands.WriteString(body)
		}
	}
	return commands.String()
}

// The commands of docs/sync.md are run as they stand there, with a machine in the place
// of the placeholders.
func TestSyncDocs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"shasum", "sha256sum"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("no %s on this machine", name)
		}
	}
	s, far := traveller(t)
	s.write("manifest.yaml", string(must(os.ReadFile(s.path("manifest.yaml"))))+"hosts:\n  gpu1: {ssh: {host: far, path: "+far.project+"}}\n")
	bin := t.TempDir()
	for _, name := range []string{"ssh", "scp"} {
		program(t, bin, name, fmt.Sprintf("#!/bin/sh\nexec %s -F %s \"$@\"\n", must(exec.LookPath(name)), far.config))
	}
	check(t, os.Symlink(must(exec.LookPath("reconcile")), filepath.Join(bin, "reconcile")))
	s = s.with("PATH=" + bin + ":/usr/bin:/bin")
	put(t, s.path("data/processed/train.jsonl"), "train\n")
	put(t, s.path("data/processed/sub/a b.jsonl"), "a b\n")
	put(t, s.path("data/processed/.DS_Store"), "x")
	put(t, filepath.Join(far.project, "adapters/run/adapter_model.safetensors"), "weights")
	put(t, s.path("adapters/run/adapter_model.safetensors"), "older")
	placeholders := strings.NewReplacer("USER@HOST", "far", "PATH", far.project, "PORT", fmt.Sprint(far.port), "KEY", far.at("user"))
	shell := func(heading string) string {
		t.Helper()
		out, err := s.command("/bin/sh", "-e", "-c", placeholders.Replace(section(t, heading))).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", heading, err, out)
		}
		return string(out)
	}
	shell("## The same by hand")
	want := treeOf(t, s.path("data/processed"))
	delete(want, ".DS_Store")
	got := treeOf(t, filepath.Join(far.project, "data/processed"))
	if len(got) != 2 || got["train.jsonl"] != want["train.jsonl"] || got["sub/a b.jsonl"] != want["sub/a b.jsonl"] {
		t.Errorf("over there is %v", got)
	}
	if got := string(must(os.ReadFile(s.path("adapters/run/adapter_model.safetensors")))); got != "weights" {
		t.Errorf("the adapter here holds %q", got)
	}
	if got := string(must(os.ReadFile(s.path(".reconcile/replaced/run/adapter_model.safetensors")))); got != "older" {
		t.Errorf("what was replaced is kept as %q", got)
	}
	check(t, os.Remove(s.path("data/processed/.DS_Store")))
	if out := shell("## Verify"); strings.Count(out, "\n") != 1 || !strings.Contains(out, "Nothing to transfer") {
		t.Errorf("both ends are the same, and verifying says\n%s", out)
	}
	// It finds what has the same size and time, and other content.
	there := filepath.Join(far.project, "data/processed/train.jsonl")
	info := must(os.Stat(there))
	put(t, there, "tra1n\n")
	check(t, os.Chtimes(there, info.ModTime(), info.ModTime()))
	out, err := s.command("/bin/sh", "-c", placeholders.Replace(section(t, "## Verify"))).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "~ train.jsonl") || !strings.Contains(string(out), "train.jsonl: FAILED") {
		t.Errorf("a flipped letter over there: %v\n%s", err, out)
	}
}
