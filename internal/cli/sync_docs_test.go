package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// docsCommands returns the shell commands below a heading of docs/sync.md.
func docsCommands(t *testing.T, heading string) string {
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

// TestSyncDocs runs the commands of docs/sync.md with a real machine instead of the
// placeholders.
func TestSyncDocs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"shasum", "sha256sum"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("no %s on this machine", name)
		}
	}
	s, remote := newSyncSite(t)
	s.write("manifest.yaml", string(must(os.ReadFile(s.path("manifest.yaml"))))+"hosts:\n  gpu1: {ssh: {host: remote, path: "+remote.project+"}}\n")
	bin := t.TempDir()
	for _, name := range []string{"ssh", "scp"} {
		writeProgram(t, bin, name, fmt.Sprintf("#!/bin/sh\nexec %s -F %s \"$@\"\n", must(exec.LookPath(name)), remote.config))
	}
	check(t, os.Symlink(must(exec.LookPath("reconcile")), filepath.Join(bin, "reconcile")))
	s = s.with("PATH=" + bin + ":/usr/bin:/bin")
	writeFile(t, s.path("data/processed/train.jsonl"), "train\n")
	writeFile(t, s.path("data/processed/sub/a b.jsonl"), "a b\n")
	writeFile(t, s.path("data/processed/.DS_Store"), "x")
	writeFile(t, filepath.Join(remote.project, "adapters/run/adapter_model.safetensors"), "weights")
	writeFile(t, s.path("adapters/run/adapter_model.safetensors"), "older")
	placeholders := strings.NewReplacer("USER@HOST", "remote", "PATH", remote.project, "PORT", fmt.Sprint(remote.port), "KEY", remote.path("user"))
	shell := func(heading string) string {
		t.Helper()
		out, err := s.command("/bin/sh", "-e", "-c", placeholders.Replace(docsCommands(t, heading))).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", heading, err, out)
		}
		return string(out)
	}
	shell("## The same by hand")
	want := hashTree(t, s.path("data/processed"))
	delete(want, ".DS_Store")
	got := hashTree(t, filepath.Join(remote.project, "data/processed"))
	if len(got) != 2 || got["train.jsonl"] != want["train.jsonl"] || got["sub/a b.jsonl"] != want["sub/a b.jsonl"] {
		t.Errorf("the remote folder has %v", got)
	}
	if got := string(must(os.ReadFile(s.path("adapters/run/adapter_model.safetensors")))); got != "weights" {
		t.Errorf("the pulled adapter is %q", got)
	}
	if got := string(must(os.ReadFile(s.path("replaced/run/adapter_model.safetensors")))); got != "older" {
		t.Errorf("the backup is %q", got)
	}
	check(t, os.Remove(s.path("data/processed/.DS_Store")))
	if out := shell("## Verify"); strings.Count(out, "\n") != 1 || !strings.Contains(out, "Nothing to transfer") {
		t.Errorf("verifying equal folders prints\n%s", out)
	}
	// Verifying finds a file of the same size and time with other content.
	there := filepath.Join(remote.project, "data/processed/train.jsonl")
	info := must(os.Stat(there))
	writeFile(t, there, "tra1n\n")
	check(t, os.Chtimes(there, info.ModTime(), info.ModTime()))
	out, err := s.command("/bin/sh", "-c", placeholders.Replace(docsCommands(t, "## Verify"))).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "~ train.jsonl") || !strings.Contains(string(out), "train.jsonl: FAILED") {
		t.Errorf("verifying a changed remote file: %v\n%s", err, out)
	}
}
