package lock

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/rattler"
	"github.com/reconcile-ml/reconcile/internal/redact"
)

// fakeRattler returns a resolver with a shell script in place of Python and py-rattler. The script
// gets the arguments of Python: -I -B SCRIPT REQUEST.
func fakeRattler(t *testing.T, script string) *resolver {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "python3.10")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	secrets := redact.New()
	secrets.Add("hunter2")
	return &resolver{Request: Request{
		Path: "locks/test.toml", Python: "3.10", Interpreter: program, Dir: work,
		Redactor: secrets,
		Conda: &CondaRequest{
			Channels: []string{"conda-forge", "file:///srv/channel"}, Specs: []string{"pip ==24.2", "python 3.10.*"},
			Wheel: "/tools/py_rattler.whl", Cache: filepath.Join(dir, "cache"), Env: []string{"RECONCILE_CONDA_ALIAS=https://ann:hunter2@mirror.example"}, Pos: diag.Pos{File: "manifest.yaml", Line: 7, Col: 3},
		},
	}}
}

// answer returns a script that prints a solution: one package, after change.
func answer(change func(*rattler.Package)) string {
	p := rattler.Package{
		Name: "python", Version: "3.10.13", Build: "h0_0_cpython", Channel: "conda-forge", Subdir: "linux-64", File: "python-3.10.13-h0_0_cpython.conda",
		SHA256: strings.Repeat("ab", 32), Depends: []string{}, Constrains: []string{},
	}
	if change != nil {
		change(&p)
	}
	b, err := json.Marshal([]rattler.Package{p})
	if err != nil {
		panic(err)
	}
	return "cat <<'END'\nsome line of the library\n\x1ereconcile-rattler " + string(b) + "\nEND\n"
}

func TestSolve(t *testing.T) {
	saved := filepath.Join(t.TempDir(), "request")
	r := fakeRattler(t, `[ "$1 $2" = "-I -B" ] || exit 9; cp "$4" `+saved+"\n"+answer(nil))
	list, err := r.solve(t.Context(), "linux-x86_64")
	if err != nil || len(list) != 1 || list[0].Name != "python" || list[0].Build != "h0_0_cpython" {
		t.Errorf("%+v, %v", list, err)
	}
	text, err := os.ReadFile(saved)
	if err != nil {
		t.Fatal(err)
	}
	var request rattler.Request
	if err := json.Unmarshal(text, &request); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(request.Specs, r.Conda.Specs) || request.Subdir != "linux-64" || !slices.Equal(request.Channels, r.Conda.Channels) || len(request.Virtual) != 3 || request.Prefix != "" {
		t.Errorf("the request is %+v", request)
	}
	if strings.Contains(string(text), "hunter2") {
		t.Error("a secret is in the request")
	}
}

// TestSolveForOtherSystems solves again if the oldest system of the environment was changed.
func TestSolveForOtherSystems(t *testing.T) {
	saved := filepath.Join(t.TempDir(), "request")
	r := fakeRattler(t, `cp "$4" `+saved+"\n"+answer(nil))
	r.Previous = &Lock{Conda: &Conda{
		Channels: r.Conda.Channels, Requests: r.Conda.Specs,
		Packages: []CondaPackage{{"linux-x86_64", rattler.Package{Name: "python", Version: "3.10.12"}}},
	}}
	if list, err := r.solve(t.Context(), "linux-x86_64"); err != nil || list[0].Version != "3.10.12" {
		t.Errorf("solved again for the same systems: %v, %v", list, err)
	}
	r.Systems.Glibc = "2.31"
	list, err := r.solve(t.Context(), "linux-x86_64")
	if err != nil || list[0].Version != "3.10.13" {
		t.Errorf("kept what was solved for another system: %v, %v", list, err)
	}
	if text, err := os.ReadFile(saved); err != nil || !strings.Contains(string(text), `["__glibc","2.31","0"]`) {
		t.Errorf("the request is %s, %v", text, err)
	}
}

// TestSolveProblems checks the problem for each failure of py-rattler.
func TestSolveProblems(t *testing.T) {
	for _, tt := range []struct {
		name, script, code, summary, found string
	}{
		{"no solution", `cat >&2 <<'END'
SolverError: Cannot solve the request because of: The following packages are incompatible
└─ pip ==24.2 cannot be installed because there are no viable options
END
exit 1`, "lock.conda", "pip ==24.2, python 3.10.* cannot be installed together for linux-x86_64 from conda-forge, file:///srv/channel", "Cannot solve the request because of"},
		{"an invalid version", `echo "InvalidMatchSpecError: missing range specifier for '3.10.1'" >&2; exit 1`, "lock.conda", "cannot parse the conda packages: pip ==24.2, python 3.10.*", "missing range specifier"},
		{"a missing channel", `echo 'FetchRepoDataError: the repodata could not be found' >&2; exit 1`, "lock.channel", "a channel could not be read: conda-forge, file:///srv/channel", "could not be found"},
		{"no network", `echo 'GatewayError: error sending request for url (https://ann:hunter2@mirror.example/conda-forge/linux-64/repodata.json)' >&2; exit 1`, "lock.channel", "a channel could not be read", "***"},
		{"no such host", `printf 'X: error sending request\n  Caused by: dns error\n' >&2; exit 1`, "lock.channel", "a channel could not be read", "dns error"},
		{"a file of another package", answer(func(p *rattler.Package) { p.File = "../evil-1-0.conda" }), "lock.conda", "a channel has a package that cannot be locked for linux-x86_64", "does not belong to python"},
		{"a name that is an option", answer(func(p *rattler.Package) { p.Name = "--prefix" }), "lock.conda", "a channel has a package that cannot be locked", "an invalid name"},
		{"a build with a space", answer(func(p *rattler.Package) { p.Build = "0 x" }), "lock.conda", "a channel has a package that cannot be locked", "an invalid version or build"},
		{"no digest", answer(func(p *rattler.Package) { p.SHA256 = "" }), "lock.conda", "a channel has a package that cannot be locked", "no valid sha256"},
		{"another platform", answer(func(p *rattler.Package) { p.Subdir = "osx-arm64" }), "lock.conda", "a channel has a package that cannot be locked", "does not install"},
		{"site-packages outside the prefix", answer(func(p *rattler.Package) { p.SitePackages = "../../x" }), "lock.conda", "a channel has a package that cannot be locked", "site-packages"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := fakeRattler(t, tt.script).solve(t.Context(), "linux-x86_64")
			p, ok := errors.AsType[*diag.Problem](err)
			if !ok || p.Code != tt.code || p.Pos.String() != "manifest.yaml:7:3" || !strings.Contains(p.Summary, tt.summary) || !strings.Contains(p.Found, tt.found) || p.Hint == "" {
				t.Errorf("got %v", err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error contains a secret: %v", err)
			}
		})
	}
}

// TestSolveErrors checks failures that a change of the manifest cannot fix.
func TestSolveErrors(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"no answer", "true", "without an answer"},
		{"half an answer", `printf '\036reconcile-rattler [{"name": "python"'`, "read the answer of py-rattler"},
		{"an answer of another type", `printf '\036reconcile-rattler {"installed": 3}\n'`, "read the answer of py-rattler"},
		{"another wheel", `echo '/tools/py_rattler.whl is not the pinned wheel: sha256 00, not 11' >&2; exit 1`, "is not the pinned wheel"},
		{"killed", "kill -9 $$", "killed"},
		{"much output", "yes flood | head -c 40000000; true", "without an answer"},
		{"many errors", "yes flood | head -c 40000000 >&2; exit 1", "flood"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := fakeRattler(t, tt.script).solve(t.Context(), "linux-x86_64")
			if _, is := errors.AsType[*diag.Problem](err); err == nil || is || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "solve locks/test.toml for linux-x86_64") {
				t.Fatalf("got %v, want one that contains %q", err, tt.want)
			}
			if len(err.Error()) > 64<<10 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
		})
	}
	// The answer is found after much output.
	if list, err := fakeRattler(t, "yes flood | head -c 40000000\n"+answer(nil)).solve(t.Context(), "linux-x86_64"); err != nil || len(list) != 1 {
		t.Errorf("after much output: %v, %v", list, err)
	}
}

func TestSolveCancel(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := fakeRattler(t, "sleep 60 & sleep 60").solve(ctx, "linux-x86_64")
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 20*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}

func TestProvided(t *testing.T) {
	got := provided([]rattler.Package{
		{Name: "python", Version: "3.10.13", Depends: []string{"zlib >=1.2"}},
		{Name: "pip", Version: "24.2", Noarch: "python"},
		{Name: "pytorch", Version: "2.5.1", Depends: []string{"python_abi 3.10.*", "python >=3.10,<3.11.0a0"}},
		{Name: "msgpack-python", Version: "1.0.8", Depends: []string{"python"}},
		{Name: "pyyaml", Version: "6.0.1", Depends: []string{"python>=3.6"}},
		{Name: "ruamel.yaml", Version: "0.18.6", Depends: []string{"python >=3.10,<3.11.0a0"}},
		{Name: "python_abi", Version: "3.10", Depends: []string{}},
		{Name: "tzdata", Version: "2024a", Noarch: "generic"},
		{Name: "cuda-nvcc", Version: "12.1.105", Depends: []string{"python_abi", "pythonic >=1"}},
		{Name: "dated", Version: "not.a.version!", Noarch: "python"},
	})
	want := map[string]string{"pip": "24.2", "torch": "2.5.1", "msgpack": "1.0.8", "pyyaml": "6.0.1", "ruamel-yaml": "0.18.6"}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	r := resolver{provided: map[string]string{"torch": "2.5.1", "pip": "24.2"}}
	if text := r.constraints(); text != "pip==24.2\ntorch==2.5.1\n" {
		t.Errorf("constraints are %q", text)
	}
	left := withoutProvided([]Package{{Name: "torch"}, {Name: "Ruamel.YAML"}, {Name: "six"}}, want)
	if len(left) != 1 || left[0].Name != "six" {
		t.Errorf("got %v", left)
	}
}

// TestChangedUVIsNotStarted has another uv than the pinned one, as if it were replaced after the
// machine was probed.
func TestChangedUVIsNotStarted(t *testing.T) {
	dir := t.TempDir()
	uv, started := filepath.Join(dir, "uv"), filepath.Join(dir, "started")
	if err := os.WriteFile(uv, []byte("#!/bin/sh\ntouch "+started+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	req := Request{
		Path: "locks/test.toml", Python: "3.10", Platforms: []string{"linux-x86_64"}, Packages: []Requirement{{Name: "six", Specifier: "==1.16.0"}},
		UV: uv, UVSHA256: facts.SHA256{1}, Cache: work, Dir: work,
	}
	_, err := Resolve(t.Context(), req)
	if changed, ok := errors.AsType[*command.ChangedError](err); !ok || changed.Program != uv {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(started); err == nil {
		t.Error("the program was started")
	}
	req.UVSHA256 = facts.SHA256{}
	_, _ = Resolve(t.Context(), req)
	if _, err := os.Stat(started); err != nil {
		t.Error("without a digest the program is not started, so that this test cannot fail")
	}
}
