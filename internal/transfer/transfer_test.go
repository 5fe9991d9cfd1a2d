package transfer

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// fakeSSH is an ssh without a network: it passes the command to sh, as sshd does.
const fakeSSH = `#!/bin/sh
while [ $# -gt 0 ]; do
	case $1 in
	-o) shift 2 ;;
	*) break ;;
	esac
done
shift
exec sh -c "$*"
`

const testManifest = `version: 1
project: test
sync:
  processed: {push: data/processed}
  adapters: {pull: adapters}
hosts:
  gpu1: {ssh: {host: gpu1.example.org, port: 40022, path: lora}}
  laptop: {env: local}
environments:
  local: {type: venv, python: "3.10", path: .venv, packages: [], lock: pylock.toml, platforms: [linux-x86_64]}
`

func openProject(t *testing.T) *session.Project {
	t.Helper()
	dir, bin := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(dir, "manifest.yaml"), testManifest)
	writeFile(t, filepath.Join(dir, "data/processed/a.jsonl"), "a\n")
	writeFile(t, filepath.Join(bin, "ssh"), fakeSSH)
	check(t, os.Chmod(filepath.Join(bin, "ssh"), 0o755))
	p, err := session.Open(t.Context(), &session.Config{Dir: dir, Environ: []string{"PATH=" + bin + ":/usr/bin:/bin", "RECONCILE_STORE=" + filepath.Join(t.TempDir(), "store")}}, "")
	check(t, err)
	return p
}

func newTransfer(t *testing.T, p *session.Project, r Request) *Transfer {
	t.Helper()
	tr, err := New(p, r, Options{Notice: func(line string) { t.Log(line) }, Verbose: func(line string) { t.Log(line) }})
	check(t, err)
	return tr
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(file), 0o755))
	check(t, os.WriteFile(file, []byte(text), 0o644))
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	check(t, err)
	return string(b)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPushAndPull checks that a run transfers the files of its preview, and that a pull keeps
// replaced files.
func TestPushAndPull(t *testing.T) {
	if _, err := exec.LookPath("rsync"); err != nil {
		t.Skip("no rsync on this machine")
	}
	p, remote := openProject(t), t.TempDir()
	push := Request{Push: true, Name: "processed", Host: "remote:" + remote}
	for _, want := range []int{1, 0} { // the second time there is nothing to transfer
		preview, err := newTransfer(t, p, push).DryRun(t.Context())
		check(t, err)
		result, err := newTransfer(t, p, push).Run(t.Context())
		check(t, err)
		if len(preview.Files) != want || len(result.Files) != want {
			t.Errorf("the preview has %v, the transfer %v, want %d files", preview.Files, result.Files, want)
		}
	}
	if got := readFile(t, filepath.Join(remote, "data/processed/a.jsonl")); got != "a\n" {
		t.Errorf("the pushed file is %q", got)
	}
	writeFile(t, p.Path("adapters/x.bin"), "older")
	writeFile(t, filepath.Join(remote, "adapters/x.bin"), "weights")
	result, err := newTransfer(t, p, Request{Name: "adapters", Host: "remote:" + remote}).Run(t.Context())
	check(t, err)
	if got := readFile(t, p.Path("adapters/x.bin")); got != "weights" {
		t.Errorf("the pulled file is %q", got)
	}
	if got := readFile(t, filepath.Join(p.Path(result.Replaced), "x.bin")); got != "older" {
		t.Errorf("the replaced file is %q", got)
	}
}

// TestNewRefuses checks the problem codes of invalid requests.
func TestNewRefuses(t *testing.T) {
	p := openProject(t)
	for _, c := range []struct {
		request Request
		code    string
	}{
		{Request{Push: true, Name: "none", Host: "gpu1"}, "sync.entry"},
		{Request{Push: true, Name: "adapters", Host: "gpu1"}, "sync.direction"},
		{Request{Push: true, Name: "processed", Host: "none"}, "sync.host"},
		{Request{Push: true, Name: "processed", Host: "laptop"}, "sync.host"},
		{Request{Push: true, Name: "processed", Host: "gpu1", File: "../x"}, "sync.file"},
		{Request{Push: true, Name: "processed", Host: "gpu1", File: "none"}, "sync.folder"},
	} {
		_, err := New(p, c.request, Options{})
		if problem, ok := errors.AsType[*diag.Problem](err); !ok || problem.Code != c.code {
			t.Errorf("%+v: error %v, want %s", c.request, err, c.code)
		}
	}
}

// TestBackUp checks that a pull backs up the existing file or link, unless it equals the pulled
// file.
func TestBackUp(t *testing.T) {
	p := openProject(t)
	tr := newTransfer(t, p, Request{Name: "adapters", Host: "gpu1", File: "x.bin"})
	file, backup := tr.spec.LocalFile(), filepath.Join(p.Path(tr.backup), "x.bin")
	writeFile(t, file, "old")
	info, err := os.Stat(file)
	check(t, err)
	check(t, tr.backUp(file, info))
	if _, err := os.Lstat(backup); err == nil {
		t.Error("an equal file was backed up")
	}
	writeFile(t, p.Path("pulled"), "new content")
	pulled, err := os.Stat(p.Path("pulled"))
	check(t, err)
	check(t, tr.backUp(file, pulled))
	if got := readFile(t, backup); got != "old" {
		t.Errorf("the backup is %q", got)
	}
	check(t, os.Remove(backup))
	check(t, copyFile(file, backup)) // a file system without hard links
	if got := readFile(t, backup); got != "old" {
		t.Errorf("the copied backup is %q", got)
	}
	check(t, errors.Join(os.Remove(backup), os.Remove(file), os.Symlink("target", file)))
	check(t, tr.backUp(file, pulled))
	if target, err := os.Readlink(backup); target != "target" {
		t.Errorf("the backup of a link leads to %q, %v", target, err)
	}
}
