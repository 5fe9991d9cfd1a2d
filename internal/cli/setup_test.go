package cli

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/golden"
)

// top is the root of this repository.
const repoRoot = "../.."

// copyCheckout copies files in the root of this repository and the named folders into the
// project of a site.
func (s *site) copyCheckout(folders ...string) {
	s.t.Helper()
	names := []string{"setup_local.sh", "setup_remote.sh", "manifest.yaml", "go.mod", "go.sum", "requirements-local.txt", "environment-remote.yml"}
	for _, folder := range append(folders, "scripts", "templates", "locks") {
		check(s.t, filepath.WalkDir(filepath.Join(repoRoot, folder), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == "__pycache__" {
				return filepath.SkipDir
			}
			if err == nil && !d.IsDir() {
				names = append(names, must(filepath.Rel(repoRoot, path)))
			}
			return err
		}))
	}
	for _, name := range names {
		from := filepath.Join(repoRoot, name)
		mode := must(os.Stat(from)).Mode()
		s.write(name, string(must(os.ReadFile(from))))
		check(s.t, os.Chmod(s.path(name), mode))
	}
}

// newCheckout creates a site with a checkout, in a folder whose name has a space.
func newCheckout(t *testing.T, url string) *site {
	t.Helper()
	dir := filepath.Join(must(filepath.EvalSymlinks(t.TempDir())), "a b")
	s := siteAt(t, dir, url)
	s.copyCheckout()
	return s
}

// copyProgram copies the program of this test to bin, like a build.
func (s *site) copyProgram() {
	s.t.Helper()
	check(s.t, os.MkdirAll(s.path("bin"), 0o755))
	if out, err := exec.Command("cp", must(exec.LookPath("reconcile")), s.path("bin/reconcile")).CombinedOutput(); err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
}

// runScript runs one of the scripts from another folder.
func (s *site) runScript(name string, args ...string) runResult {
	s.t.Helper()
	cmd := s.command(s.path(name), args...)
	cmd.Dir = "/"
	return s.startCommand(cmd).wait()
}

// wantScript runs a script and expects an exit status and texts on either stream.
func (s *site) wantScript(code int, command []string, texts ...string) runResult {
	s.t.Helper()
	e := s.runScript(command[0], command[1:]...)
	if e.code != code {
		s.t.Errorf("%v: want exit status %d\n%s", command, code, e)
	}
	for _, text := range texts {
		if !e.contains(text) {
			s.t.Errorf("%v does not print %q\n%s", command, text, e)
		}
	}
	return e
}

// checkUnchanged checks that a step changes no name, content or time in the project.
func (s *site) checkUnchanged(what string, step func()) {
	s.t.Helper()
	before := snapshotTree(s.t, s.root)
	s.t.Log(what + " changes nothing:")
	step()
	checkSameTree(s.t, before, snapshotTree(s.t, s.root))
}

// shells returns the installed ones of several shells: those of Debian, macOS, Fedora and
// Alpine, zsh as sh, and some strict POSIX shells.
func shells(t *testing.T) [][]string {
	var list [][]string
	for _, words := range [][]string{{"sh"}, {"dash"}, {"bash", "--posix"}, {"busybox", "sh"}, {"zsh", "--emulate", "sh"}, {"posh"}, {"yash"}} {
		if _, err := exec.LookPath(words[0]); err != nil {
			t.Logf("%s is not installed, and not tried", words[0])
			continue
		}
		list = append(list, words)
	}
	return list
}

// TestSetupLocal checks that setup_local.sh previews, builds and checks the environment, and
// that a second run changes nothing.
func TestSetupLocal(t *testing.T) {
	t.Parallel()
	s := newCheckout(t, newMirror(t, wheel{name: "alpha", version: "1.0"}).indexURL())
	s.write("manifest.yaml", strings.Replace(environmentManifest("alpha==1.0"), "directories:", "storage: {path: ., warn_below: 1KB, fail_below: 1KB, budget: [{item: raw data, size: 1KB}]}\ndirectories:", 1))
	s.want(0, "lock")
	s.copyProgram()

	s.checkUnchanged("--dry-run", func() {
		s.wantScript(0, []string{"setup_local.sh", "--dry-run"}, "venv.local: 1 package in a new generation", "Storage on .", "disk.storage")
	})
	first := s.wantScript(0, []string{"setup_local.sh"}, "using bin/reconcile", "venv.local: created", "environment local is ready")
	s.wantImports("1.0", "alpha")
	s.checkUnchanged("another run", func() {
		again := s.wantScript(0, []string{"setup_local.sh"}, "Nothing to do", "Storage on .", "raw data", "disk.storage", "is intact", "Python 3.10", "alpha 1.0", "converged", "environments of all projects", "size         ", "environment local is ready")
		if again.contains("created") {
			t.Errorf("a second run creates a resource\n%s", again)
		}
	})
	if strings.Contains(first.out+first.err, "\x1b") {
		t.Errorf("colours without a terminal\n%s", first)
	}
}

// fakeReconcile returns a script that prints its commands and exits with a code at one of them.
func fakeReconcile(at string, code int) string {
	return fmt.Sprintf("#!/bin/sh\nfor w; do case $w in version) echo reconcile fake;; validate|apply|plan|verify|doctor|status) echo ran $w;; esac; [ \"$w\" != %q ] || exit %d; done\n", at, code)
}

// TestSetupShells checks the complete set-up in each shell, starting with a download.
func TestSetupShells(t *testing.T) {
	t.Parallel()
	program := fakeReconcile("", 0)
	release := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, program) }))
	t.Cleanup(release.Close)
	for _, words := range shells(t) {
		s := newCheckout(t, "").with("RECONCILE_RELEASE_URL="+release.URL, fmt.Sprintf("RECONCILE_RELEASE_SHA256=%x", sha256.Sum256([]byte(program))), "CDPATH=/tmp:..")
		run := func(args ...string) runResult {
			return s.runCommand(slices.Concat(words, args)...) // must not be searched in CDPATH
		}
		if e := run("setup_remote.sh", "--dry-run"); e.code != 0 || !e.contains("downloading", "ran plan") || e.contains("ran apply") {
			t.Errorf("%v: a dry run\n%s", words, e)
		}
		if e := run("./setup_local.sh"); e.code != 0 || !e.contains("downloading", "using bin/reconcile: reconcile fake", "ran apply", "ran plan", "ran verify", "ran doctor", "ran status", "environment local is ready") {
			t.Errorf("%v: a first run\n%s", words, e)
		}
		s.checkUnchanged("another run", func() {
			if e := run(s.path("setup_local.sh")); e.code != 0 || e.contains("downloading") {
				t.Errorf("%v: a second run\n%s", words, e)
			}
		})
		if e := run("setup_local.sh", "--frob"); e.code != exit.WrongUsage {
			t.Errorf("%v: a wrong option\n%s", words, e)
		}
	}
}

// TestSetupFindsDamage checks that a failed check determines the exit status after an apply
// without changes, and that the later checks still run.
func TestSetupFindsDamage(t *testing.T) {
	t.Parallel()
	s := newCheckout(t, "")
	for code, tt := range map[int]struct{ failsAt, want, not string }{
		0:   {"", "environment local is ready", "a check failed"},
		2:   {"verify", "a check failed", "is ready"},
		3:   {"doctor", "a check failed", "is ready"},
		4:   {"apply", "done in part", "ran plan"},
		5:   {"apply", "is not set up: the reason is above", "ran plan"},
		130: {"apply", "interrupted", "ran plan"},
	} {
		fakes := fakePrograms{"reconcile": fakeReconcile(tt.failsAt, code)}
		s := s.with("GO=none", "PATH="+fakes.writeDir(t)+":/usr/bin:/bin")
		e := s.wantScript(code, []string{"setup_local.sh"}, "ran apply", tt.want)
		if e.contains(tt.not) || tt.not != "ran plan" && !e.contains("ran plan", "ran verify", "ran doctor", "ran status") {
			t.Errorf("with %d at %s\n%s", code, tt.failsAt, e)
		}
	}
}

// TestSetupProposesStore checks that setup_remote.sh proposes a store on the volume of the
// project if the store is on the root file system, uses it only if asked to, and proposes
// none where it would be in the project or is set already.
func TestSetupProposesStore(t *testing.T) {
	t.Parallel()
	s := newCheckout(t, "")
	volume := filepath.Dir(s.root)
	program := `#!/bin/sh
for w; do case $w in
version) echo reconcile fake ;;
facts) printf '  "store": "%s",\n' "${RECONCILE_STORE:-$HOME/.local/share/reconcile}" ;;
apply) echo "store: $RECONCILE_STORE" ;;
esac; done
`
	df := `#!/bin/sh
echo Filesystem 1024-blocks Used Available Capacity Mounted on
for last; do :; done
case $last/ in "$VOLUME"/*) echo "host:/vol 264212084 37500156 58001108 40% $VOLUME" ;; *) echo "overlay 9 4 5 45% /" ;; esac
`
	fakes := fakePrograms{"reconcile": program, "df": df}
	s = s.with("GO=none", "PATH="+fakes.writeDir(t)+":/usr/bin:/bin", "VOLUME="+volume, "HOME=/nonexistent", "RECONCILE_STORE=")
	proposal := "export RECONCILE_STORE='" + volume + "/.reconcile-store'"
	if !strings.ContainsAny(volume, " ") {
		proposal = strings.ReplaceAll(proposal, "'", "")
	}
	s.wantScript(0, []string{"setup_remote.sh", "--dry-run"}, proposal)
	s.wantScript(0, []string{"setup_remote.sh"}, proposal, "store: \n")

	for what, e := range map[string]runResult{
		"the local environment":   s.runScript("setup_local.sh"),
		"a store in the project":  s.with("VOLUME=" + s.root).runScript("setup_remote.sh"),
		"one file system":         s.with("VOLUME=/none").runScript("setup_remote.sh"),
		"a store on the volume":   s.with("HOME=" + volume).runScript("setup_remote.sh"),
		"a store that is set":     s.with("RECONCILE_STORE=/elsewhere").runScript("setup_remote.sh"),
		"the option --store":      s.runScript("setup_remote.sh", "--store", "/elsewhere"),
		"the option --store=":     s.runScript("setup_remote.sh", "--store=/elsewhere"),
		"setup_local.sh --store=": s.runScript("setup_local.sh", "--store=/elsewhere"),
	} {
		if e.code != 0 || e.contains(".reconcile-store") {
			t.Errorf("%s: a store is proposed\n%s", what, e)
		}
		if strings.Contains(what, "--store") && !e.contains("store: /elsewhere\n", "export RECONCILE_STORE=/elsewhere") {
			t.Errorf("%s: the store is not used\n%s", what, e)
		}
	}
	s.wantScript(exit.WrongUsage, []string{"setup_remote.sh", "--store"}, "--store takes a directory")
	s.wantScript(exit.WrongUsage, []string{"setup_remote.sh", "--store", ""}, "--store takes a directory")
	s.wantScript(exit.WrongUsage, []string{"setup_local.sh", "--store", "a b"}, `--store takes an absolute path: ./setup_local.sh --store "$PWD"/'a b'`)
	s.wantScript(exit.WrongUsage, []string{"setup_local.sh", "--store=~"}, `--store takes an absolute path: ./setup_local.sh --store "$HOME"/reconcile`)
}

// TestSetupRemote checks that setup_remote.sh with the real manifest is blocked and changes
// nothing on a machine without a GPU.
func TestSetupRemote(t *testing.T) {
	t.Parallel()
	s := newCheckout(t, "")
	s.copyProgram()
	if e := s.run("plan", "--env", "remote"); e.code != exit.Blocked {
		t.Skip("this machine has a GPU: the environment, a download of 3 GB, would be built")
	}
	for range 2 {
		s.checkUnchanged("setup_remote.sh without a GPU", func() {
			s.wantScript(exit.Blocked, []string{"setup_remote.sh"}, "there is no NVIDIA ", "hint:", "Storage on .", "Nothing was changed", "environment remote is not set up", "bin/reconcile doctor --env remote")
		})
	}
}

// TestSetupLoginNode checks that a GPU environment is built on a machine without a GPU if the
// severity in the manifest is warn.
func TestSetupLoginNode(t *testing.T) {
	t.Parallel()
	s := newCheckout(t, newMirror(t, wheel{name: "alpha", version: "1.0"}).indexURL())
	manifest := strings.NewReplacer("local", "remote", "    packages:", "    cuda: {minimum: \"12.1\", severity: warn}\n    gpu: {count: 1, memory: 24GB, severity: warn}\n    packages:").Replace(environmentManifest("alpha==1.0"))
	s.write("manifest.yaml", manifest)
	s.want(0, "lock")
	s.copyProgram()
	s.wantScript(0, []string{"setup_remote.sh"}, "venv.remote: created", "NVIDIA driver", "CUDA", "alpha 1.0", "environment remote is ready")
	s.checkUnchanged("another run", func() {
		s.wantScript(0, []string{"setup_remote.sh"}, "gpu.remote", "Nothing to do", "environment remote is ready")
	})
}

// TestSetupArguments checks --help, wrong options and a missing manifest.
func TestSetupArguments(t *testing.T) {
	t.Parallel()
	s := newCheckout(t, "")
	s.checkUnchanged("--help or a wrong option", func() {
		s.wantScript(0, []string{"setup_local.sh", "--help"}, "Usage: ./setup_local.sh [--dry-run] [--store DIR]", "Exit status")
		s.wantScript(0, []string{"setup_remote.sh", "-h"}, "environment remote")
		for _, word := range []string{"--env", "-y", "extra", ""} {
			s.wantScript(exit.WrongUsage, []string{"setup_local.sh", word}, "is not an option of setup_local.sh")
		}
		s.wantScript(exit.WrongUsage, []string{"setup_local.sh", "--dry-run", "\x1b[2Jx"}, "[2Jx is not an option")
	})
	check(t, os.Remove(s.path("manifest.yaml")))
	s.wantScript(1, []string{"setup_local.sh"}, "there is no manifest.yaml in "+s.root)
}

// TestSetupBuilds checks that the scripts build the program without a home and without git, and
// again if a source is newer or the program does not run.
func TestSetupBuilds(t *testing.T) {
	t.Parallel()
	golang, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no Go on this machine")
	}
	s := newCheckout(t, "")
	s.copyCheckout("cmd", "pkg", "internal", "configs", "docs", "embed.go", ".gitignore") // the program embeds the files of init
	s.write("manifest.yaml", "version: 1\nproject: small\nenvironments:\n  local: {type: venv, path: .venv, python: \"3.10\", lock: l.toml, platforms: ["+platform()+"], packages: []}\n")
	places := strings.Fields(string(must(exec.Command(golang, "env", "GOCACHE", "GOMODCACHE").Output())))
	cached := s.with("GO="+golang, "GOOS=plan9", "GOCACHE="+places[0], "GOMODCACHE="+places[1])
	cached.env = slices.DeleteFunc(cached.env, func(kv string) bool { return strings.HasPrefix(kv, "HOME=") })

	s.checkUnchanged("--dry-run", func() {
		if e := cached.runScript("setup_local.sh", "--dry-run"); !e.contains("building the program with "+golang, "using /") {
			t.Errorf("a dry run did not build beside the checkout\n%s", e)
		}
	})
	build := func(text string, builds bool) {
		t.Helper()
		if e := cached.runScript("setup_local.sh"); !e.contains(text, "using bin/reconcile: reconcile ") || e.contains("building") != builds {
			t.Errorf("want %q, building %v\n%s", text, builds, e)
		}
		if left := must(os.ReadDir(s.path("bin"))); len(left) != 1 {
			t.Errorf("bin has %v", left)
		}
	}
	build("building the program with", true)
	build("using", false)
	check(t, os.WriteFile(s.path("internal/cli/version.go"), must(os.ReadFile(s.path("internal/cli/version.go"))), 0o644))
	build("building the program with", true)

	// A program of another system, as in a copied folder.
	check(t, os.WriteFile(s.path("bin/reconcile"), []byte("\xcf\xfa\xed\xfe"), 0o755))
	build("does not run here", true)

	// Sources that do not compile: the old program is used with a warning.
	s.write("internal/cli/version.go", "package cli\n\nfunc broken() { return 1 }\n")
	if e := cached.runScript("setup_local.sh"); !e.contains("the build with "+golang+" failed", "warning: bin/reconcile is older than version.go") {
		t.Errorf("a build that fails\n%s", e)
	}
}

// TestSetupOldGo checks that a Go that cannot download its toolchain is not used.
func TestSetupOldGo(t *testing.T) {
	t.Parallel()
	s := newCheckout(t, "")
	writeProgram(t, s.path("bin"), "old", "#!/bin/sh\necho go version go1.19.8 linux/amd64\n")
	with := s.with("GO=" + s.path("bin/old"))
	with.wantScript(1, []string{"setup_local.sh"}, "Go 1.19.8 at "+s.path("bin/old")+" is too old", "the program reconcile is missing")
}

// TestSetupUsesProgramOnPath checks that a program on PATH is used if it accepts the manifest.
func TestSetupUsesProgramOnPath(t *testing.T) {
	t.Parallel()
	s := newCheckout(t, "")
	program := must(exec.LookPath("reconcile"))
	installed := s.with("PATH="+filepath.Dir(program)+":/usr/bin:/bin", "GO=none")
	installed.wantScript(exit.Done, []string{"setup_local.sh", "--dry-run"}, "using "+program)
	s.write("manifest.yaml", "version: 1\nproject: p\nfrom_the_future: 1\n")
	installed.wantScript(1, []string{"setup_local.sh", "--dry-run"}, program+" is not used", "the program reconcile is missing")

	foreign := s.with("PATH="+s.path("bin")+":/usr/bin:/bin", "GO=none")
	writeProgram(t, s.path("bin"), "reconcile", "#!/bin/sh\necho accounts agree\n")
	foreign.wantScript(1, []string{"setup_local.sh"}, "the program reconcile is missing")
}

// TestSetupDownloads checks that a release is downloaded with each downloader, and that files
// with another digest are refused.
func TestSetupDownloads(t *testing.T) {
	t.Parallel()
	program := []byte(fakeReconcile("", 0))
	sum := fmt.Sprintf("%x", sha256.Sum256(program))
	release := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/reconcile":
			_, _ = w.Write(program)
		case "/moved":
			http.Redirect(w, r, "/reconcile", http.StatusFound)
		case "/cut":
			w.Header().Set("Content-Length", fmt.Sprint(len(program)))
			_, _ = w.Write(program[:20])
			panic(http.ErrAbortHandler)
		case "/text":
			_, _ = io.WriteString(w, "text")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(release.Close)
	text := fmt.Sprintf("%x", sha256.Sum256([]byte("text")))

	for fetcher, as := range map[string]string{"curl": "curl", "wget": "wget", "busybox": "wget"} {
		if _, err := exec.LookPath(fetcher); err != nil {
			t.Logf("%s is not installed, and not tried", fetcher)
			continue
		}
		for name, tt := range map[string]struct {
			path, sum string
			want      string
			accepted  bool
		}{
			"right":          {"/reconcile", sum, "using bin/reconcile", true},
			"moved":          {"/moved", strings.ToUpper(sum), "using bin/reconcile", true},
			"wrong":          {"/text", sum, "has the wrong sha256 and was deleted: expected " + sum + ", found " + text, false},
			"no program":     {"/text", text, "does not run here: this machine is " + platform(), false},
			"absent":         {"/absent", sum, "/absent could not be downloaded; nothing was changed", false},
			"cut":            {"/cut", sum, "error: ", false},
			"without digest": {"/reconcile", "", "must be the sha256 of the release", false},
			"short digest":   {"/reconcile", sum[1:], "must be the sha256 of the release", false},
			"other digest":   {"/reconcile", strings.Repeat("g", 64), "must be the sha256 of the release", false},
		} {
			t.Run(fetcher+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newCheckout(t, "").with("PATH="+toolDirWith(t, fetcher, as), "RECONCILE_RELEASE_URL="+release.URL+tt.path, "RECONCILE_RELEASE_SHA256="+tt.sum)
				s.checkFetch(tt.want, program, tt.accepted)
			})
		}
	}
	for name, tt := range map[string]struct {
		env      []string
		pins     string
		want     string
		accepted bool
	}{
		"pinned":     {[]string{"GO=none"}, "# platform address sha256\nplan9-mips " + release.URL + "/text " + text + "\n" + platform() + " " + release.URL + "/reconcile " + sum + "\n", "downloading " + release.URL + "/reconcile", true},
		"no fetcher": {[]string{"PATH=" + toolDir(t), "RECONCILE_RELEASE_URL=" + release.URL + "/reconcile", "RECONCILE_RELEASE_SHA256=" + sum}, "", "neither curl nor wget", false},
		"not http":   {[]string{"RECONCILE_RELEASE_URL=--config=/etc/passwd", "RECONCILE_RELEASE_SHA256=" + sum}, "", "must be an http or https address", false},
		"secrets":    {[]string{"RECONCILE_RELEASE_URL=http://me:pass@word@127.0.0.1:9/x?key=word#word", "RECONCILE_RELEASE_SHA256=" + sum}, "", "error: http://127.0.0.1:9/x could not be downloaded", false},
		"no network": {[]string{"RECONCILE_RELEASE_URL=http://127.0.0.1:9/x", "RECONCILE_RELEASE_SHA256=" + sum}, "", "Check the network", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newCheckout(t, "").with(tt.env...)
			if tt.pins != "" {
				s.write("scripts/releases.txt", tt.pins)
			}
			s.checkFetch(tt.want, program, tt.accepted)
		})
	}
}

// checkFetch runs the script and checks that bin has the program if it was accepted, and
// otherwise does not exist.
func (s *site) checkFetch(want string, program []byte, accepted bool) {
	s.t.Helper()
	code := 1
	if accepted {
		code = 0
	}
	if e := s.wantScript(code, []string{"setup_local.sh"}, want); e.contains("pass@word") || e.contains("key=word") {
		s.t.Errorf("a secret of the address is printed\n%s", e)
	}
	got, err := os.ReadFile(s.path("bin/reconcile"))
	if !accepted {
		if _, err := os.Lstat(s.path("bin")); err == nil {
			s.t.Errorf("bin remains")
		}
		return
	}
	check(s.t, err)
	if !bytes.Equal(got, program) {
		s.t.Errorf("bin/reconcile is not the downloaded program")
	}
	if left := must(os.ReadDir(s.path("bin"))); len(left) != 1 {
		s.t.Errorf("bin has %v", left)
	}
	s.checkUnchanged("a second run", func() { s.wantScript(0, []string{"setup_local.sh"}, "using bin/reconcile") })
}

// TestSetupUnwritableCheckout checks the message if bin cannot be created.
func TestSetupUnwritableCheckout(t *testing.T) {
	t.Parallel()
	s := newCheckout(t, "")
	s.write("bin", "a file in the place of the folder")
	s = s.with("RECONCILE_RELEASE_URL=http://127.0.0.1:9/x", "RECONCILE_RELEASE_SHA256="+strings.Repeat("0", 64))
	s.checkUnchanged("a checkout that cannot be written", func() {
		s.wantScript(1, []string{"setup_local.sh"}, s.path("bin")+" cannot be written by")
	})
}

// TestSetupInterrupted interrupts the process group during a hanging download, like ^C.
func TestSetupInterrupted(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	}))
	t.Cleanup(hangs.Close)
	s := newCheckout(t, "").with("RECONCILE_RELEASE_URL="+hangs.URL, "RECONCILE_RELEASE_SHA256="+strings.Repeat("0", 64))
	cmd := s.command(s.path("setup_local.sh"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := s.startCommand(cmd)
	<-began
	check(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
	if e := p.wait(); e.code != exit.Interrupted {
		t.Errorf("want exit status 130\n%s", e)
	}
	if _, err := os.Lstat(s.path("bin")); err == nil {
		t.Error("bin remains")
	}
}

// TestSetupInterruptedApply interrupts the script during a smoke test, like ^C, and checks that
// the next run completes.
func TestSetupInterruptedApply(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := newCheckout(t, newMirror(t, slowWheel("1.0", folder, false)).indexURL())
	s.write("manifest.yaml", environmentManifest("lazy==1.0"))
	s.want(0, "lock")
	s.copyProgram()
	check(t, os.WriteFile(filepath.Join(folder, "slow"), nil, 0o600))
	cmd := s.command(s.path("setup_local.sh"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := s.startCommand(cmd)
	s.waitUntil(p, "the smoke test runs", func() bool { _, err := os.Stat(filepath.Join(folder, "began")); return err == nil })
	check(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
	if e := p.wait(); e.code != exit.Interrupted || e.contains("=== Checks and storage") {
		t.Errorf("want exit status 130 and no more\n%s", e)
	}
	check(t, os.Remove(filepath.Join(folder, "slow")))
	s.wantScript(0, []string{"setup_local.sh"}, "environment local is ready")
	s.checkNoTemporaries()
}

// TestSetupMessages checks the messages on each system if the program is missing, and the plan of
// a Mac from recorded facts.
func TestSetupMessages(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ system, machine, translated, tools string }{
		"mac-arm64":     {"Darwin", "arm64", "0", "curl brew"},
		"mac-rosetta":   {"Darwin", "x86_64", "1", "curl brew"},
		"mac-intel":     {"Darwin", "x86_64", "", "curl"},
		"linux-x86_64":  {"Linux", "x86_64", "", "apt-get"},
		"linux-aarch64": {"Linux", "aarch64", "", "curl"},
		"freebsd":       {"FreeBSD", "amd64", "", "curl"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newCheckout(t, "")
			fakes := fakePrograms{"uname": "case $1 in -s) echo " + tt.system + ";; -m) echo " + tt.machine + ";; esac", "sysctl": "[ -n '" + tt.translated + "' ] && echo " + tt.translated, "id": "echo 501"}
			for _, tool := range strings.Fields(tt.tools) {
				fakes[tool] = "exit 1"
			}
			s = s.with("GO=none", "PATH="+fakes.writeDir(t)+":"+toolDir(t))
			var e runResult
			s.checkUnchanged("a missing program", func() { e = s.wantScript(1, []string{"setup_local.sh"}) })
			golden.Check(t, "testdata/setup/"+name+".txt", []byte(strings.ReplaceAll(e.err, s.root, "ROOT")))
		})
	}
	for _, facts := range []string{"mac-m4", "mac-m4-rosetta"} {
		t.Run(facts, func(t *testing.T) {
			t.Parallel()
			s := newCheckout(t, "")
			recorded := must(filepath.Abs(filepath.Join(repoRoot, "testdata/facts", facts+".json")))
			program := must(exec.LookPath("reconcile"))
			s = s.with("PATH=" + fakePrograms{
				"reconcile": "for last; do :; done\n[ \"$last\" = -v ] && exec " + program + " \"$@\" --facts " + recorded + "\nexec " + program + " \"$@\"",
			}.writeDir(t) + ":/usr/bin:/bin")
			want := must(os.ReadFile(filepath.Join(repoRoot, "testdata/facts", facts+".plan")))
			totals := lastLine(string(want))
			s.wantScript(0, []string{"setup_local.sh", "--dry-run"}, "Storage on .", totals)
		})
	}
}

// fakePrograms has the bodies of shell scripts, by name.
type fakePrograms map[string]string

// writeDir writes the scripts into a new folder.
func (p fakePrograms) writeDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, script := range p {
		writeProgram(t, dir, name, "#!/bin/sh\n"+script+"\n")
	}
	return dir
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// toolDirWith creates a folder like toolDir, with one more program under another name.
func toolDirWith(t *testing.T, program, as string) string {
	t.Helper()
	dir := toolDir(t)
	check(t, os.Symlink(must(exec.LookPath(program)), filepath.Join(dir, as)))
	return dir
}

// toolDir creates a folder with only the tools that the scripts use.
func toolDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"sh", "uname", "id", "sed", "awk", "tr", "cut", "cat", "mkdir", "rmdir", "mktemp", "chmod", "mv", "rm", "find", "sha256sum"} {
		found, err := exec.LookPath(name)
		if errors.Is(err, exec.ErrNotFound) {
			continue
		}
		check(t, os.Symlink(must(found, err), filepath.Join(dir, name)))
	}
	return dir
}
