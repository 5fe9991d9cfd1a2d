package manifest_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/explain"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/conda"
	"github.com/reconcile-ml/reconcile/pkg/resources/directory"
	"github.com/reconcile-ml/reconcile/pkg/resources/file"
	"github.com/reconcile-ml/reconcile/pkg/resources/link"
	"github.com/reconcile-ml/reconcile/pkg/resources/venv"
)

// root is this repository.
var root = os.DirFS("../..")

var (
	mac   = manifest.Selection{Host: facts.Host{OS: "darwin", Arch: "arm64", Platform: "macos-arm64", Hostname: "mac"}, GPU: facts.GPU{Vendor: "none"}}
	linux = manifest.Selection{Host: facts.Host{OS: "linux", Arch: "x86_64", Platform: "linux-x86_64", Hostname: "box"}, GPU: facts.GPU{Vendor: "none"}}
	gpu1  = manifest.Selection{Host: facts.Host{OS: "linux", Arch: "x86_64", Platform: "linux-x86_64", Hostname: "gpu1"}, GPU: facts.GPU{Vendor: "nvidia"}}
)

// load reads a valid manifest.
func load(t testing.TB, text string) *manifest.Manifest {
	t.Helper()
	m, err := manifest.Load(fstest.MapFS{"manifest.yaml": {Data: []byte(text)}}, "manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// compile returns the resources of one machine.
func compile(t testing.TB, m *manifest.Manifest, s manifest.Selection) []resources.Resource {
	t.Helper()
	env, err := m.Select(s)
	if err != nil {
		t.Fatal(err)
	}
	return compileFor(t, m, s, env)
}

// compileFor returns the resources of a machine with an environment.
func compileFor(t testing.TB, m *manifest.Manifest, s manifest.Selection, env *manifest.Environment) []resources.Resource {
	t.Helper()
	list, err := m.Resources(s, oneOf(env))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// oneOf returns an environment as a list, none for nil.
func oneOf(env *manifest.Environment) []*manifest.Environment {
	if env == nil {
		return nil
	}
	return []*manifest.Environment{env}
}

func addresses(list []resources.Resource) string {
	var names []string
	for _, r := range list {
		names = append(names, r.Addr.String())
	}
	return strings.Join(names, " ")
}

// TestOwn compiles the manifest of this repository for both of its machines.
func TestOwn(t *testing.T) {
	m, err := manifest.Load(root, "manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	folders := "directory.data_raw directory.data_processed directory.data_synthetic directory.models directory.adapters directory.scripts directory.configs disk.storage"
	list := compile(t, m, mac)
	if got, want := addresses(list), folders+" pairs.local python.3.10 file.requirements-local.txt venv.local file.scripts/paths.py"; got != want {
		t.Errorf("on a Mac: %s\nwant: %s", got, want)
	}
	for _, r := range list {
		if !r.Pos.IsValid() {
			t.Errorf("%s has no position", r.Addr)
		}
		if s, ok := r.Spec.(*venv.Spec); ok && (s.Problem != nil || len(s.Closure) < 20) {
			t.Errorf("venv.local has %d packages: %v", len(s.Closure), s.Problem)
		}
	}
	golden.Check(t, "testdata/paths.py", []byte(m.Files[0].Content))

	list = compile(t, m, gpu1)
	if got, want := addresses(list), folders+" model.meta-llama/Llama-3.1-8B-Instruct model.mistralai/Mistral-7B-Instruct-v0.3 cuda.remote gpu.remote compat.remote pairs.remote python.3.10 tool.rattler file.environment-remote.yml conda.remote file.scripts/paths.py"; got != want {
		t.Errorf("on a GPU machine: %s\nwant: %s", got, want)
	}
	spec := list[slices.IndexFunc(list, func(r resources.Resource) bool { return r.Addr.Kind == "conda" })].Spec.(*conda.Spec)
	if spec.Problem != nil || len(spec.Packages) < 20 || len(spec.Closure) < 60 || spec.QLoRA == nil || !spec.TestCUDA {
		t.Errorf("conda.remote has %d conda packages and %d Python packages: %v", len(spec.Packages), len(spec.Closure), spec.Problem)
	}

	env, _ := m.Select(mac)
	for _, part := range []string{"environment remote (conda) is for machines with {gpu: nvidia}"} {
		if notes := strings.Join(m.Notes(mac, oneOf(env)), "\n"); !strings.Contains(notes, part) {
			t.Errorf("no note contains %q: %s", part, notes)
		}
	}
	places := m.EnvironmentPaths()
	for name, want := range map[string][3]string{"local": {".venv", "venv", "3.10"}, "remote": {".conda/remote", "conda", "3.10"}, "remote-legacy": {".conda/remote-legacy", "conda", "3.10"}, "remote-current": {".venv-current", "venv", "3.12"}} {
		if p := places[name]; [3]string{p.Path, p.Type, p.Python} != want {
			t.Errorf("%s is at %+v, want %v", name, p, want)
		}
	}
	if wheels := places["remote"].Wheels("linux-x86_64"); len(wheels) != len(spec.Closure) || wheels[0] != spec.Closure[0].Wheels[0].SHA256.String() {
		t.Errorf("remote has %d wheels, not the %d of its closure: %v", len(wheels), len(spec.Closure), wheels)
	}
}

// TestPathsRun imports the rendered constants with a real Python.
func TestPathsRun(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	dir := t.TempDir()
	text, err := os.ReadFile("testdata/paths.py")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "scripts"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "scripts", "paths.py"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-I", "-B", "-c", "import sys; sys.path.insert(0, 'scripts'); from paths import *; print(DATA_RAW.relative_to(PROJECT_ROOT), MODELS_DIR.name)")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "data/raw models\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestStarter(t *testing.T) {
	for name, want := range map[string]string{"My Project": "my-project", "../..": "project", "": "project", "1a": "a", "x--y": "x-y", "null": "project", strings.Repeat("ab", 99): strings.Repeat("ab", 32)} {
		m := load(t, manifest.Starter(name))
		if m.Project != want {
			t.Errorf("Starter(%q) has the project %q, want %q", name, m.Project, want)
		}
		list := compile(t, m, mac)
		if got := addresses(list); got != "python.3.12 venv.local" {
			t.Error(got)
		}
		last := list[len(list)-1].Spec.(*venv.Spec)
		if last.Problem == nil || last.Problem.Code != "lock.missing" {
			t.Errorf("without a lock: %v", last.Problem)
		}
	}
}

func TestCheck(t *testing.T) {
	if err := manifest.Check([]byte(manifest.Starter("x"))); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"", "version: 1\nproject: x\nfiles: [{path: a, template: absent.tmpl}]\n", "version: 2\n"} {
		if err := manifest.Check([]byte(text)); err == nil {
			t.Errorf("%q is valid", text)
		}
	}
}

// TestAsWritten checks that values are read as written, whatever type YAML
// gives them.
func TestAsWritten(t *testing.T) {
	m := load(t, head+`directories:
  "on": {path: 0755, mode: 0755}
  b: {path: 1.10, mode: "700", purpose: 2024-01-01}
environments:
  local:
    type: venv
    python: 3.10
    path: .venv
    lock: l.toml
    platforms: [linux-x86_64]
    packages: [{name: a, version: 2.10}, {name: "1", version: 010}, {name: yes, version: 2024.10.01}]
`)
	var got []string
	for _, d := range m.Directories {
		got = append(got, fmt.Sprintf("%s %s %04o %s", d.Name, d.Path, uint32(d.Mode), d.Purpose))
	}
	for _, p := range m.Environments[0].Packages {
		got = append(got, p.String())
	}
	got = append(got, m.Environments[0].Python)
	want := "on 0755 0755 |b 1.10 0700 2024-01-01|a==2.10|1==010|yes==2024.10.01|3.10"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("read %s\nwant %s", s, want)
	}
}

// TestPreviousKeyName checks that prove is still read as smoke_test.
func TestPreviousKeyName(t *testing.T) {
	for _, key := range []string{"smoke_test", "prove"} {
		m := load(t, head+"environments:\n  a: {type: venv, python: \"3.10\", path: .venv, lock: l.toml, platforms: [linux-x86_64], packages: [], "+key+": {imports: [json], cuda: true}}\n")
		if s := m.Environments[0].SmokeTest; !slices.Equal(s.Imports, []string{"json"}) || !s.TestCUDA || s.QLoRA != nil {
			t.Errorf("%s: got %+v", key, s)
		}
	}
}

const places = head + `directories:
  data_raw: {path: data/raw}
  data_processed: {path: data/processed}
  models: {path: models, protect: true}
environments:
  train: {type: venv, python: "3.10", path: .venv, lock: l.toml, platforms: [linux-x86_64], packages: [], installer: pip, match: {gpu: nvidia}, directories: {data_raw: {path: data/processed2/raw}}}
  cpu: {type: venv, python: "3.10", path: .venv-cpu, lock: m.toml, platforms: [linux-x86_64], packages: [], match: {gpu: none}}
hosts:
  GPU1:
    allow_paths: [/workspace]
    directories: {models: {path: /workspace/models}}
  shared: {env: cpu}
`

// TestPlaces checks directories with another path on one host or in one
// environment: the common path is a link.
func TestPlaces(t *testing.T) {
	m := load(t, places)
	var got []string
	for _, r := range compile(t, m, gpu1) {
		switch s := r.Spec.(type) {
		case *directory.Spec:
			got = append(got, fmt.Sprintf("%s %s %v", r.Addr, s.Path, r.Protect))
		case *link.Spec:
			got = append(got, fmt.Sprintf("%s %s -> %s after %v", r.Addr, s.Path, s.Target, r.DependsOn))
		default:
			got = append(got, r.Addr.String())
		}
	}
	want := `directory.data_raw data/processed2/raw false
link.data_raw data/raw -> processed2/raw after [directory.data_raw]
directory.data_processed data/processed false
directory.models /workspace/models true
link.models models -> /workspace/models after [directory.models]
python.3.10
venv.train`
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
}

// TestOtherHost checks that allow_paths is valid for its host only.
func TestOtherHost(t *testing.T) {
	m := load(t, head+"directories: {scratch: {path: /scratch/p}}\nhosts: {gpu1: {allow_paths: [/scratch]}, gpu2: {}}\n")
	if got := addresses(compile(t, m, gpu1)); got != "directory.scratch" {
		t.Error(got)
	}
	other := gpu1
	other.Host.Hostname = "gpu2"
	_, err := m.Resources(other, nil)
	if problems := diag.Problems(err); len(problems) != 1 || problems[0].Code != "manifest.path" || problems[0].Pos.Line != 3 {
		t.Errorf("an absolute path on a host that does not allow it: %v", err)
	}
}

func TestSelect(t *testing.T) {
	m := load(t, places)
	shared := gpu1
	shared.Host.Hostname = "shared"
	for name, c := range map[string]struct {
		s    manifest.Selection
		want string
	}{"by match": {gpu1, "train"}, "by host": {shared, "cpu"}, "without a GPU": {mac, "cpu"}} {
		if env, err := m.Select(c.s); err != nil || env.Name != c.want {
			t.Errorf("%s: %v, %v, want %s", name, env, err, c.want)
		}
	}
	if env, err := load(t, head).Select(mac); env != nil || err != nil {
		t.Errorf("without environments: %v, %v", env, err)
	}
}

// TestSelectByVendor checks that `none` holds on each machine without an NVIDIA GPU, unless an
// environment that matches names the vendor of the GPU that there is.
func TestSelectByVendor(t *testing.T) {
	env := func(name, match string) string {
		return fmt.Sprintf("  %s: {type: venv, python: \"3.10\", path: .%[1]s, lock: %[1]s.toml, platforms: [linux-x86_64], packages: [], match: {%[2]s}}\n", name, match)
	}
	two := head + "environments:\n" + env("cpu", "gpu: none") + env("cuda", "gpu: nvidia")
	more := two + env("rocm", "gpu: [amd]") + env("xpu", "gpu: intel, host: arc") + env("mps", "gpu: apple, arch: arm64")
	for _, c := range []struct {
		manifest, vendor, host, want string
	}{
		{two, "none", "box", "cpu"}, {two, "amd", "box", "cpu"}, {two, "intel", "box", "cpu"}, {two, "apple", "box", "cpu"}, {two, "nvidia", "box", "cuda"},
		{more, "none", "box", "cpu"}, {more, "amd", "box", "rocm"}, {more, "intel", "arc", "xpu"}, {more, "intel", "box", "cpu"}, {more, "nvidia", "arc", "cuda"},
		{more, "apple", "box", "cpu"}, // with x86_64
		{two, "", "box", ""},
	} {
		s := linux
		s.Host.Hostname, s.GPU.Vendor = c.host, c.vendor
		got := ""
		m := load(t, c.manifest)
		if e, err := m.Select(s); err == nil {
			got = e.Name
		}
		if got != c.want {
			t.Errorf("%s on %s: %q, want %q", c.vendor, c.host, got, c.want)
		}
		if all, err := m.SelectAll(s); err == nil && (len(all) != 1 || all[0].Name != c.want) {
			t.Errorf("%s on %s: %d environments", c.vendor, c.host, len(all))
		}
	}
}

// TestSelectProblems checks the problem if no environment can be chosen.
func TestSelectProblems(t *testing.T) {
	env := func(name, match string) string {
		return fmt.Sprintf("  %[1]s: {type: conda, python: \"3.10\", packages: [], lock: %[1]s.toml, platforms: [linux-x86_64], channels: [c]%[2]s}\n", name, match)
	}
	all := head + "environments:\n" + env("a", ", match: {gpu: nvidia, os: [linux, macos]}") + env("b", ", match: {arch: arm64, gpu: nvidia}") +
		env("c", "") + env("d", ", match: {host: [box, other]}") + env("e", ", match: {os: linux}")
	unknown := linux
	unknown.GPU = facts.GPU{}
	var out strings.Builder
	for _, c := range []struct {
		name string
		s    manifest.Selection
	}{{"several", linux}, {"none", mac}, {"unknown GPU", unknown}, {"unknown name", mac}} {
		_, err := load(t, all).Select(c.s)
		if c.name == "unknown name" {
			_, err = load(t, all).Named("dd")
		}
		fmt.Fprintf(&out, "# %s\n%v\n", c.name, err)
		for _, p := range diag.Problems(err) {
			if explain.Codes()[p.Code].Means == "" {
				t.Errorf("%s is not explained", p.Code)
			}
		}
	}
	golden.Check(t, "testdata/select.txt", []byte(out.String()))
}

// TestOrder checks that the order of keys does not change the resources.
func TestOrder(t *testing.T) {
	sections := []string{
		"project: p\n", "directories:\n  a: {path: a, mode: 0700}\n  b: {purpose: x, path: b}\n", "storage: {path: ., warn_below: 1GB}\n",
		"files: [{path: c/d, content: x}]\n", "hosts: {box: {env: local, directories: {a: {path: e}}}}\n",
		"environments:\n  local: {type: venv, python: \"3.10\", path: .venv, lock: l.toml, platforms: [linux-x86_64], packages: []}\n", "indexes: [public]\n", "version: 1\n",
	}
	describe := func() string {
		var lines []string
		for _, r := range compile(t, load(t, strings.Join(sections, "")), linux) {
			spec := fmt.Sprintf("%+v", r.Spec)
			if f, ok := r.Spec.(*file.Spec); ok {
				spec = f.Path + f.Content
			}
			lines = append(lines, fmt.Sprintf("%s %v %s", r.Addr, r.DependsOn, spec))
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	want := describe()
	for range 100 {
		rand.Shuffle(len(sections), func(i, j int) { sections[i], sections[j] = sections[j], sections[i] })
		if got := describe(); got != want {
			t.Fatalf("in order %q\ngot  %s\nwant %s", sections, got, want)
		}
	}
}

// TestHostile checks that Load takes bounded time and memory for hostile
// texts of one megabyte.
func TestHostile(t *testing.T) {
	const size = 1 << 20
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	var stair strings.Builder
	for i := 0; stair.Len() < size; i++ {
		stair.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	var keys strings.Builder
	for i := 0; keys.Len() < size; i++ {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	honest := string(large(100_000))
	cases := map[string]string{
		"[": fill("["), "{": fill("{"), "- ": fill("- "), "? ": fill("? "), "-\\n": fill("-\n"), "{a,": "{" + fill("a,") + "}", "{?,": "{" + fill("?,") + "}", "[[],": "[" + fill("[],") + "]",
		"nests": fill("- " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "\n"), "stair": stair.String(), "comments": head + fill("# x\n"), "lists": head + "files:\n" + fill("- # x\n"),
		"quote": head + "x: \"" + fill("x"), "anchors": "[" + fill("&a x,") + "]", "aliases": "&a [" + fill("*a,") + "]", "text": head + "x: |\n" + fill(" x\n"), "unknown keys": head + keys.String(),
		"same keys": head + fill("a: b\n"), "tabs": head + fill("\t"), "bad bytes": head + fill("\xff"), "bad lines": head + fill("\xff\n"), "NUL": head + fill("\x00"), "bidi": head + fill("\u202e"),
		"long name": head + "directories: {" + fill("a") + ": {path: a}}", "long path": head + "directories: {a: {path: " + fill("a/") + "a}}", "numbers": head + "files: [" + fill("1,") + "]",
		"broken end": head + "directories:\n" + strings.Repeat("  a: {path: b}\n", size/20) + " x: y\n", "bracket": head + "files: [" + fill("{path: a},") + "\n", "slow text": head + "x: " + fill("x\n "),
		"documents": fill("---\n"), "escapes": head + "x: \"" + fill(`\x01`) + "\"", "merges": head + fill("<<: a\n"), "tags": head + "files: [" + fill("!x y,") + "]",
		"directories": head + "directories:\n" + fill("  a: {path: ../a}\n"), "100,000 resources": honest,
	}
	for name, text := range cases {
		// Each takes less than a second; the limit leaves room for a slow machine, and is far
		// below an exponential case.
		limit, memory := 10*time.Second, uint64(256<<20)
		if manifest.Racing {
			limit *= 3
		}
		if len(text) > 2*size {
			memory = 512 << 20 // a valid manifest of several megabytes
		}
		runtime.GC()
		debug.FreeOSMemory()
		peak := watchHeap(t, func() {
			start := cpuTime(t) // wall time includes other work of the machine
			_, err := manifest.Load(fstest.MapFS{"manifest.yaml": {Data: []byte(text)}}, "manifest.yaml")
			if took := cpuTime(t) - start; took > limit {
				t.Errorf("%s: took %v", name, took)
			}
			if (err == nil) != (text == honest || name == "comments") {
				t.Errorf("%s: %v", name, err)
			}
			for i, p := range diag.Problems(err) {
				if i > 100 {
					t.Fatalf("%s: more than 100 problems", name)
				}
				checkProblem(t, p)
			}
		})
		if peak > memory {
			t.Errorf("%s: the heap grew to %d MiB", name, peak>>20)
		}
	}
}

// cpuTime returns the CPU time of this process.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// watchHeap returns the maximum heap size while f runs.
func watchHeap(t *testing.T, f func()) (peak uint64) {
	t.Helper()
	done, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	f()
	close(done)
	<-stopped
	return peak
}

// TestTooLarge checks that a file above the limit is a problem.
func TestTooLarge(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "manifest.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(64<<20 + 1); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = manifest.Load(os.DirFS(dir), "manifest.yaml")
	if want := "manifest.yaml: is larger than 64 MiB"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// TestOwnPins checks that the requirements and environment files of this repository
// match its manifest and its locks.
func TestOwnPins(t *testing.T) {
	m, err := manifest.Load(root, "manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range m.Environments {
		for _, r := range compileFor(t, m, linux, e) {
			if f, ok := r.Spec.(*file.Spec); ok && (f.Path == e.RequirementsFile || f.Path == e.EnvironmentFile) {
				golden.Check(t, filepath.Join("../..", f.Path), []byte(f.Content))
			}
		}
	}
}
