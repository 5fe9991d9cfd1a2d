package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/pkg/resources/tool"
)

// A site is a project with its own home, PATH and package index. reconcile runs in it as a
// process.
type site struct {
	t    *testing.T
	root string   // of the project, absolute and without links
	env  []string // of all processes
}

// newSite creates an empty project with the package index url, "" for none.
func newSite(t *testing.T, url string) *site {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	check(t, err)
	return siteAt(t, dir, url)
}

// siteAt creates a project and a home below a directory. With an index uv is on PATH, or the
// test is skipped if uv cannot be installed. Without an index no Python is needed.
func siteAt(t *testing.T, dir, url string) *site {
	t.Helper()
	s := &site{t: t, root: filepath.Join(dir, "project")}
	home := filepath.Join(dir, "home")
	check(t, os.MkdirAll(s.root, 0o755))
	check(t, os.MkdirAll(home, 0o755))
	search := "/usr/bin:/bin"
	if url != "" {
		search = uvFolder(t) + ":" + search
	}
	s.env = []string{
		"HOME=" + home, "PATH=" + search, "PIP_CONFIG_FILE=/dev/null", "RECONCILE_STORE=" + s.store(""),
		"RECONCILE_INDEX_URL=" + url, "PYENV_ROOT=" + pyenvRoot(),
	}
	return s
}

// with returns the same site with additional variables.
func (s *site) with(env ...string) *site {
	other := *s
	other.env = append(append([]string(nil), s.env...), env...)
	return &other
}

func (s *site) path(name string) string { return filepath.Join(s.root, filepath.FromSlash(name)) }

// store returns a path in the store.
func (s *site) store(name string) string { return filepath.Join(filepath.Dir(s.root), "store", name) }

// stateDir returns the state directory of the project.
func (s *site) stateDir() string { return layout.State(s.store(""), s.root) }

func (s *site) write(name, text string) {
	s.t.Helper()
	writeFile(s.t, s.path(name), text)
}

// A runResult is the result of a process.
type runResult struct {
	code     int // -1 if a signal ended the process
	signal   syscall.Signal
	out, err string
	took     time.Duration
}

func (e runResult) String() string {
	return fmt.Sprintf("exit code %d, signal %d, after %s\n--- stdout\n%s--- stderr\n%s", e.code, e.signal, e.took.Round(time.Millisecond), e.out, e.err)
}

// contains reports whether the output has all texts, on either stream.
func (e runResult) contains(texts ...string) bool {
	for _, text := range texts {
		if !strings.Contains(e.out+e.err, text) {
			return false
		}
	}
	return true
}

// A process is a running command.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err syncBuffer
	began    time.Time
	done     chan struct{}
	failure  error
}

// A syncBuffer is a buffer that can be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (g *syncBuffer) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.Write(b)
}

func (g *syncBuffer) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.String()
}

// limit is the longest duration of a process.
const limit = 3 * time.Minute

// command returns a command in the project with the environment of the site.
func (s *site) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = s.root, s.env
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// start starts reconcile.
func (s *site) start(args ...string) *process {
	s.t.Helper()
	return s.startCommand(s.command(must(exec.LookPath("reconcile")), args...))
}

// startCommand starts a command.
func (s *site) startCommand(cmd *exec.Cmd) *process {
	s.t.Helper()
	p := &process{t: s.t, cmd: cmd, began: time.Now(), done: make(chan struct{})}
	cmd.Stderr = &p.err
	if cmd.Stdout == nil {
		cmd.Stdout = &p.out
	}
	check(s.t, cmd.Start())
	go func() {
		p.failure = cmd.Wait()
		close(p.done)
	}()
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.done
	})
	return p
}

// wait waits for the end of the process, at most limit.
func (p *process) wait() runResult {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.t.Fatalf("the process did not end within %s\n%s%s", limit, p.out.String(), p.err.String())
	}
	e := runResult{out: p.out.String(), err: p.err.String(), took: time.Since(p.began)}
	var failed *exec.ExitError
	if p.failure != nil && !errors.As(p.failure, &failed) {
		p.t.Fatal(p.failure)
	}
	e.code = p.cmd.ProcessState.ExitCode()
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.signal = status.Signal()
	}
	return e
}

// signal sends a signal to the process, not to its children.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	check(p.t, p.cmd.Process.Signal(s))
}

// run runs reconcile.
func (s *site) run(args ...string) runResult {
	s.t.Helper()
	return s.start(args...).wait()
}

// runCommand runs a program.
func (s *site) runCommand(words ...string) runResult {
	s.t.Helper()
	return s.startCommand(s.command(words[0], words[1:]...)).wait()
}

// want runs reconcile and checks its exit code.
func (s *site) want(code int, args ...string) runResult {
	s.t.Helper()
	e := s.run(args...)
	if e.code != code {
		s.t.Fatalf("reconcile %s: want exit code %d\n%s", strings.Join(args, " "), code, e)
	}
	return e
}

// checkConverges checks that an apply succeeds, that a plan then has no changes, and that no
// temporary file remains.
func (s *site) checkConverges() {
	s.t.Helper()
	s.want(0, "apply", "-y", "--env", "local")
	s.want(0, "plan", "--detailed-exitcode", "--env", "local")
	s.checkNoTemporaries()
}

// checkNoTemporaries checks that the project and the store have no temporary files.
func (s *site) checkNoTemporaries() {
	s.t.Helper()
	for _, dir := range []string{s.root, s.store("")} {
		check(s.t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasPrefix(d.Name(), ".reconcile-tmp-") {
				s.t.Errorf("%s remains", path)
			}
			return err
		}))
	}
}

// imports imports modules in the environment, and returns their versions and the name of the
// generation, separated by spaces.
func (s *site) imports(modules ...string) (string, error) {
	words := make([]string, len(modules))
	for i, m := range modules {
		words[i] = m + ".version"
	}
	code := fmt.Sprintf("import sys, %s; print(%s, sys.prefix.rpartition('/')[2])", strings.Join(modules, ", "), strings.Join(words, ", "))
	out, err := s.command(s.path(".venv/bin/python"), "-B", "-c", code).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// wantImports checks the versions of modules in the active environment.
func (s *site) wantImports(versions string, modules ...string) {
	s.t.Helper()
	got, err := s.imports(modules...)
	if err != nil || !strings.HasPrefix(got, versions+" ") {
		s.t.Errorf("%v import as %q, %v; want %s", modules, got, err, versions)
	}
}

// environmentManifest returns a manifest with an environment of pins, name==version, whose smoke
// test imports them.
func environmentManifest(pins ...string) string {
	var packages, names []string
	for _, pin := range pins {
		name, version, _ := strings.Cut(pin, "==")
		packages = append(packages, fmt.Sprintf("      - {name: %s, version: %q}\n", name, version))
		names = append(names, name)
	}
	return fmt.Sprintf(`version: 1
project: site
directories:
  data: {path: data}
files:
  - {path: data/readme.txt, content: "read me\n"}
environments:
  local:
    match: {gpu: none}
    type: venv
    python: "3.10"
    path: .venv
    lock: locks/pylock.local.toml
    platforms: [%s]
    packages:
%s    smoke_test:
      imports: [%s]
`, platform(), strings.Join(packages, ""), strings.Join(names, ", "))
}

// platform returns the platform of this machine as in a manifest.
func platform() string {
	system := map[string]string{"linux": "linux", "darwin": "macos"}[runtime.GOOS]
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	if system == "macos" && arch == "aarch64" {
		arch = "arm64"
	}
	return system + "-" + arch
}

// sharedDir creates a directory for all tests of this process, which suite.Run removes.
var sharedDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "reconcile-shared-") })

// installUV installs the pinned uv from the index of this machine, and returns its directory,
// whose path contains the version.
var installUV = sync.OnceValues(func() (string, error) {
	dir, err := sharedDir()
	if err != nil {
		return "", err
	}
	pinned := tool.UV()
	dir = filepath.Join(dir, "installs/uv", pinned.Version)
	return filepath.Join(dir, "bin"), pipInstall(python310(), dir, "--no-deps", "uv=="+pinned.Version)
})

// pipInstall installs packages into a directory with pip.
func pipInstall(python, target string, args ...string) error {
	args = append([]string{"-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile", "--target", target}, args...)
	if out, err := exec.Command(python, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// uvFolder returns the directory of uv. The test is skipped if there is no Python or no index to
// install uv with.
func uvFolder(t *testing.T) string {
	t.Helper()
	if python310() == "" {
		t.Skip("no Python 3.10 on this machine")
	}
	if !hasIndex() {
		t.Skip("uv cannot be installed: no package index can be reached")
	}
	dir, err := installUV()
	check(t, err)
	return dir
}

// processes returns the processes whose arguments contain a path in the project or the store.
func (s *site) processes() []string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ps", "-eo", "pid=,args=").Output()
	check(s.t, err)
	var list []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, s.root) || strings.Contains(line, s.store("")) {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return list
}

// mountExt4 mounts an empty ext4 without reserved blocks on a directory until the end of the test,
// or skips the test.
func mountExt4(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("mounting a file system needs root and linux")
	}
	image := filepath.Join(t.TempDir(), "image")
	check(t, os.WriteFile(image, nil, 0o600))
	check(t, os.Truncate(image, 64<<20))
	for _, words := range [][]string{{"mkfs.ext4", "-q", "-m", "0", "-F", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%s: %v %s", words[0], err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
}

// mountTmpfs mounts a tmpfs on a directory until the end of the test, or skips the test.
func mountTmpfs(t *testing.T, dir, options string) {
	t.Helper()
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("mounting a tmpfs needs root and linux")
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("mounting is not permitted: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
}

// writeFile writes a file and creates its parent directories.
func writeFile(t *testing.T, file, text string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(file), 0o755))
	check(t, os.WriteFile(file, []byte(text), 0o644))
}

// writeProgram writes an executable script.
func writeProgram(t *testing.T, dir, name, text string) {
	t.Helper()
	writeFile(t, filepath.Join(dir, name), text)
	check(t, os.Chmod(filepath.Join(dir, name), 0o755))
}

// A failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatal(args ...any)
}

// check ends the test if err is not nil.
func check(t failer, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
