package packages

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/outputschema"
	"github.com/reconcile-ml/reconcile/internal/rattler"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// A project is a project in a temporary directory, with a folder of wheels.
type project struct {
	t       testing.TB
	dir     string
	wheels  string
	python  string   // minor version
	environ []string // of the process, besides the folder of wheels
}

func newProject(t testing.TB) *project {
	t.Helper()
	p := &project{t: t, dir: t.TempDir(), wheels: t.TempDir(), python: "3.10"}
	p.environ = []string{"HOME=" + t.TempDir(), "RECONCILE_STORE=" + t.TempDir(), "RECONCILE_FIND_LINKS=" + p.wheels, "RECONCILE_INDEX_URL=file:///absent"}
	return p
}

func (p *project) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		p.t.Fatal(err)
	}
}

// manifest writes a manifest with one environment and these further lines of it.
func (p *project) manifest(lines ...string) {
	p.t.Helper()
	text := "version: 1\nproject: demo\nindexes: [public, {name: special, url: \"https://packages.invalid/special\"}]\nenvironments:\n  main:\n    python: \"" + p.python + "\"\n    lock: pylock.main.toml\n    platforms: [linux-x86_64, macos-arm64]\n"
	p.write("manifest.yaml", text+"    "+strings.Join(lines, "\n    ")+"\n")
}

// open opens the environment.
func (p *project) open() (*Environment, *session.Project, error) {
	p.t.Helper()
	s, err := session.Open(p.t.Context(), &session.Config{Dir: p.dir, Environ: append(os.Environ(), p.environ...), Program: "1.0"}, "")
	if err != nil {
		p.t.Fatal(err)
	}
	e, err := Open(s)
	return e, s, err
}

func (p *project) mustOpen() *Environment {
	p.t.Helper()
	e, _, err := p.open()
	if err != nil {
		p.t.Fatal(err)
	}
	return e
}

// export returns an export.
func (p *project) export(o ExportOptions) *Export {
	p.t.Helper()
	e, s, err := p.open()
	if err != nil {
		p.t.Fatal(err)
	}
	x, err := e.Export(context.Background(), s.IndexSource, o)
	if err != nil {
		p.t.Fatalf("%s: %v", o.Format, err)
	}
	return x
}

// wheel creates a wheel with a module of its name in a folder, and returns it.
func (p *project) wheel(dir, name, version string, requires ...string) lock.Wheel {
	p.t.Helper()
	file := fmt.Sprintf("%s-%s-py3-none-any.whl", name, version)
	info := fmt.Sprintf("%s-%s.dist-info/", name, version)
	metadata := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version)
	for _, r := range requires {
		metadata += "Requires-Dist: " + r + "\n"
	}
	var b bytes.Buffer
	z, record := zip.NewWriter(&b), ""
	for _, f := range [][2]string{{name + ".py", ""}, {info + "METADATA", metadata}, {info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}, {info + "RECORD", ""}} {
		if strings.HasSuffix(f[0], "RECORD") {
			f[1] = record + info + "RECORD,,\n"
		}
		sum := sha256.Sum256([]byte(f[1]))
		record += fmt.Sprintf("%s,sha256=%s,%d\n", f[0], base64.RawURLEncoding.EncodeToString(sum[:]), len(f[1]))
		w, err := z.Create(f[0])
		if err == nil {
			_, err = w.Write([]byte(f[1]))
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, file), b.Bytes(), 0o644)); err != nil {
		p.t.Fatal(err)
	}
	return lock.Wheel{File: file, Size: int64(b.Len()), SHA256: sha256.Sum256(b.Bytes())}
}

// lock writes the lock of the environment for the requests of the manifest.
func (p *project) lock(packages []lock.Package, c *lock.Conda) {
	p.t.Helper()
	checkout, err := session.Load(&session.Config{Dir: p.dir, Environ: append(os.Environ(), p.environ...)})
	if err != nil {
		p.t.Fatal(err)
	}
	l := lock.Lock{
		Path: "pylock.main.toml", RequiresPython: requires(p.python), Platforms: []string{"linux-x86_64", "macos-arm64"},
		Requests: checkout.Manifest.Environments[0].Requests(), Packages: packages, Conda: c,
	}
	p.write(l.Path, string(l.Encode()))
}

// requires returns the releases of a Python minor version.
func requires(minor string) string {
	var n int
	_, _ = fmt.Sscanf(minor, "3.%d", &n)
	return fmt.Sprintf(">=3.%d,<3.%d", n, n+1)
}

const digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func sum(t testing.TB) (s facts.SHA256) {
	t.Helper()
	if err := s.UnmarshalText([]byte(digest)); err != nil {
		t.Fatal(err)
	}
	return s
}

// everySource is a project whose packages are from every source: an index, a named one, an
// address, a file, a directory, a repository and an archive.
func everySource(t testing.TB) *project {
	p := newProject(t)
	p.manifest("type: venv", "path: .venv", "build: [built]", "packages:",
		"  - alpha>=1", "  - {name: bound, version: \">=2\", index: special, why: \"CUDA \\\"12\\\"\"}",
		"  - \"built\"", "  - \"git @ git+https://code.invalid/x.git@"+digest[:40]+"#subdirectory=py\"",
		"  - \"web @ https://files.invalid/web-1.0-py3-none-any.whl#sha256="+digest+"\"",
		"  - \"file @ ./libs/file-1.0-py3-none-any.whl\"", "  - \"dir @ ./libs/dir\"")
	p.write("libs/dir/pyproject.toml", "[project]\nname = \"dir\"\nversion = \"1.0\"\n[build-system]\nrequires = []\nbuild-backend = \"x\"\n")
	file := p.wheel(filepath.Join(p.dir, "libs"), "file", "1.0")
	requires := []lock.Package{{Name: "setuptools", Version: "80.0", Wheels: []lock.Wheel{p.wheel(p.wheels, "setuptools", "80.0")}}}
	archive := []byte("archive")
	if err := os.WriteFile(filepath.Join(p.wheels, "built-3.0.tar.gz"), archive, 0o644); err != nil {
		t.Fatal(err)
	}
	only := func(w lock.Wheel, platforms ...string) []lock.Wheel { w.Platforms = platforms; return []lock.Wheel{w} }
	p.lock([]lock.Package{
		{Name: "alpha", Version: "1.0", Dependencies: []string{"beta", "linux"}, Wheels: only(p.wheel(p.wheels, "alpha", "1.0"))},
		{Name: "beta", Version: "1.0", Platforms: []string{"macos-arm64"}, Wheels: only(p.wheel(p.wheels, "beta", "1.0"))},
		{Name: "beta", Version: "2.0", Platforms: []string{"linux-x86_64"}, Dependencies: []string{"alpha"}, Wheels: only(p.wheel(p.wheels, "beta", "2.0"))},
		{Name: "bound", Version: "2.0+cu128", Index: "special", Wheels: only(p.wheel(p.wheels, "bound", "2.0+cu128"))},
		{Name: "built", Version: "3.0", Build: &lock.Build{Source: lock.Source{File: "built-3.0.tar.gz", Size: int64(len(archive)), SHA256: sha256.Sum256(archive)}, Requires: requires}},
		{Name: "dir", Version: "1.0", Build: &lock.Build{Source: lock.Source{Directory: "libs/dir"}, Requires: requires}},
		{Name: "file", Version: "1.0", URL: "./libs/file-1.0-py3-none-any.whl", Wheels: only(file)},
		{Name: "git", Version: "1.0", Build: &lock.Build{Source: lock.Source{Git: "https://code.invalid/x.git", Commit: digest[:40], Subdirectory: "py"}, Requires: requires}},
		{Name: "linux", Version: "1.0", Platforms: []string{"linux-x86_64"}, Wheels: only(p.wheel(p.wheels, "linux", "1.0"))},
		{Name: "web", Version: "1.0", URL: "https://files.invalid/web-1.0-py3-none-any.whl", Wheels: only(lock.Wheel{File: "web-1.0-py3-none-any.whl", Size: 5, SHA256: sum(t)})},
	}, nil)
	return p
}

func code(err error) string {
	if p, ok := errors.AsType[*diag.Problem](err); ok {
		return p.Code
	}
	return fmt.Sprint(err)
}

func TestRequirementsOfEverySource(t *testing.T) {
	p := everySource(t)
	text := string(p.export(ExportOptions{Format: "requirements"}).Content)
	for _, want := range []string{
		"alpha==1.0 \\\n    --hash=sha256:",
		"beta==1.0 ; sys_platform == 'darwin' and platform_machine == 'arm64' \\\n    --hash",
		"beta==2.0 ; sys_platform == 'linux' and platform_machine == 'x86_64' \\\n    --hash",
		"--extra-index-url https://packages.invalid/special\n", "# Index special: bound.", "bound==2.0+cu128 \\\n",
		"built==3.0 \\\n    --hash", "-e ./libs/dir\n", "./libs/file-1.0-py3-none-any.whl \\\n    --hash",
		"git @ git+https://code.invalid/x.git@" + digest[:40] + "#subdirectory=py\n",
		"web @ https://files.invalid/web-1.0-py3-none-any.whl \\\n    --hash=sha256:" + digest + "\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if notes := p.export(ExportOptions{Format: "requirements"}).Notes; len(notes) != 1 || !strings.HasPrefix(notes[0], "dir, git: ") {
		t.Errorf("notes %q", notes)
	}
	x := p.export(ExportOptions{Format: "requirements", Platform: "macos-arm64", NoHashes: true, Dir: filepath.Join(p.dir, "out")})
	if text := string(x.Content); strings.Contains(text, "--hash") || strings.Contains(text, "linux") || strings.Contains(text, "marker") || !strings.Contains(text, "\nbeta==1.0\n") || !strings.Contains(text, "-e ./libs/dir\n") || len(x.Notes) > 0 {
		t.Errorf("notes %q and\n%s", x.Notes, text)
	}
}

func TestPylockHasAPlaceForEachFile(t *testing.T) {
	p := everySource(t)
	text := p.export(ExportOptions{Format: "pylock", Dir: filepath.Join(p.dir, "out")}).Content
	var doc struct {
		Tool     any
		Packages []struct {
			Name           string
			Tool           any
			Wheels         []struct{ Name, Path, URL string }
			Sdist, Archive struct{ Path, URL string }
			Directory      struct{ Path string }
		}
	}
	if err := toml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Tool != nil || strings.Contains(string(text), "reconcile]") {
		t.Errorf("it has keys of reconcile:\n%s", text)
	}
	for _, q := range doc.Packages {
		if q.Tool != nil {
			t.Errorf("%s has keys of reconcile", q.Name)
		}
		for _, w := range q.Wheels {
			if w.Path != filepath.Join(p.wheels, w.Name) {
				t.Errorf("%s: path %q", w.Name, w.Path)
			}
		}
		switch q.Name {
		case "built":
			if q.Sdist.Path != filepath.Join(p.wheels, "built-3.0.tar.gz") {
				t.Errorf("built: %+v", q)
			}
		case "dir":
			if q.Directory.Path != "../libs/dir" {
				t.Errorf("dir: %+v", q)
			}
		case "file":
			if q.Archive.Path != "../libs/file-1.0-py3-none-any.whl" {
				t.Errorf("file: %+v", q)
			}
		case "web":
			if q.Archive.URL != "https://files.invalid/web-1.0-py3-none-any.whl" {
				t.Errorf("web: %+v", q)
			}
		}
	}
	if err := os.Remove(filepath.Join(p.wheels, "linux-1.0-py3-none-any.whl")); err != nil {
		t.Fatal(err)
	}
	e, s, err := p.open()
	if err == nil {
		_, err = e.Export(t.Context(), s.IndexSource, ExportOptions{Format: "pylock"})
	}
	if code(err) != "index.absent" {
		t.Errorf("a file that no place has: %v", err)
	}
}

func TestProjectForUV(t *testing.T) {
	var doc struct {
		Project struct{ Dependencies []string }
		Tool    struct {
			UV struct {
				Constraints []string `toml:"constraint-dependencies"`
				Index       []map[string]any
				Sources     map[string]any
			}
		}
	}
	text := everySource(t).export(ExportOptions{Format: "uv"}).Content
	if err := toml.Unmarshal(text, &doc); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if want := []string{"alpha>=1", "bound>=2", "built", "dir", "file", "git", "web"}; !slices.Equal(doc.Project.Dependencies, want) {
		t.Errorf("dependencies %q, want %q", doc.Project.Dependencies, want)
	}
	if want := []string{
		"alpha==1.0", "beta==1.0 ; sys_platform == 'darwin' and platform_machine == 'arm64'", "beta==2.0 ; sys_platform == 'linux' and platform_machine == 'x86_64'",
		"bound==2.0+cu128", "built==3.0", "linux==1.0 ; sys_platform == 'linux' and platform_machine == 'x86_64'",
	}; !slices.Equal(doc.Tool.UV.Constraints, want) {
		t.Errorf("constraints %q, want %q", doc.Tool.UV.Constraints, want)
	}
	if got := fmt.Sprint(doc.Tool.UV.Sources); got != fmt.Sprintf("map[bound:map[index:special] dir:map[editable:true path:./libs/dir] file:map[path:./libs/file-1.0-py3-none-any.whl] git:map[git:https://code.invalid/x.git rev:%s subdirectory:py] web:map[url:https://files.invalid/web-1.0-py3-none-any.whl]]", digest[:40]) {
		t.Errorf("sources %s", got)
	}
	if got := fmt.Sprint(doc.Tool.UV.Index); got != "[map[explicit:true name:special url:https://packages.invalid/special]]" {
		t.Errorf("indexes %s", got)
	}
}

// TestCycloneDX compares a document with the schema of CycloneDX 1.6, which testdata has.
func TestCycloneDX(t *testing.T) {
	p := everySource(t)
	first := p.export(ExportOptions{Format: "cyclonedx"}).Content
	schema := jsonschema.NewCompiler()
	for _, name := range []string{"bom-1.6.schema.json", "spdx.schema.json", "jsf-0.82.schema.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", "cyclonedx", name))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err == nil {
			err = schema.AddResource("http://cyclonedx.org/schema/"+name, doc)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	compiled, err := schema.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text []byte) {
		t.Helper()
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err == nil {
			err = compiled.Validate(doc)
		}
		if err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	valid(first)
	if again := p.export(ExportOptions{Format: "cyclonedx"}).Content; !bytes.Equal(again, first) {
		t.Error("two exports of one lock differ")
	}
	var doc bom
	if err := json.Unmarshal(first, &doc); err != nil {
		t.Fatal(err)
	}
	refs := map[string]bool{doc.Metadata.Component.Ref: true}
	for _, c := range doc.Components {
		if refs[c.Ref] {
			t.Errorf("%s occurs twice", c.Ref)
		}
		refs[c.Ref] = true
	}
	for _, want := range []string{
		"pkg:pypi/bound@2.0%2Bcu128?repository_url=https%3A%2F%2Fpackages.invalid%2Fspecial", "pkg:pypi/beta@1.0", "pkg:pypi/beta@2.0",
		"pkg:pypi/git@1.0?vcs_url=git%2Bhttps%3A%2F%2Fcode.invalid%2Fx.git%40" + digest[:40] + "%23subdirectory%3Dpy",
	} {
		if !refs[want] {
			t.Errorf("%s is missing in %v", want, refs)
		}
	}
	for _, d := range doc.Dependencies {
		for _, to := range append(d.DependsOn, d.Ref) {
			if !refs[to] {
				t.Errorf("a dependency names %s, which is no component", to)
			}
		}
		if d.Ref == "pkg:pypi/alpha@1.0" && !slices.Equal(d.DependsOn, []string{"pkg:pypi/beta@1.0", "pkg:pypi/beta@2.0", "pkg:pypi/linux@1.0"}) {
			t.Errorf("alpha depends on %q", d.DependsOn)
		}
	}
	p.environ = append(p.environ, "SOURCE_DATE_EPOCH=0")
	if dated := p.export(ExportOptions{Format: "cyclonedx"}).Content; !strings.Contains(string(dated), `"timestamp": "1970-01-01T00:00:00Z"`) {
		t.Errorf("no timestamp in\n%s", dated)
	} else {
		valid(dated)
	}

	p = condaProject(t)
	text := p.export(ExportOptions{Format: "cyclonedx"}).Content
	valid(text)
	if !strings.Contains(string(text), `"name": "PSF-2.0"`) || !strings.Contains(string(text), "pkg:conda/python@3.10.16?build=h1_0&channel=conda-forge&subdir=linux-64&type=conda") {
		t.Errorf("conda packages are missing in\n%s", text)
	}
}

// condaProject is a project with conda packages, of which one contains a Python package.
func condaProject(t testing.TB) *project {
	p := newProject(t)
	p.manifest("type: conda", "channels: [conda-forge]", "conda_packages: [{name: pytables, version: 3.9.2, why: \"for HDF5\"}]", "packages: [alpha, tables]")
	packages := []lock.CondaPackage{}
	for platform, subdir := range map[string]string{"linux-x86_64": "linux-64", "macos-arm64": "osx-arm64"} {
		for _, c := range []rattler.Package{
			{Name: "python", Version: "3.10.16", Depends: []string{"__glibc >=2.17", "libffi>=3.4,<4.0a0", "absent *"}, License: "PSF-2.0"},
			{Name: "libffi", Version: "3.4.2", Depends: []string{}}, {Name: "pytables", Version: "3.9.2", Depends: []string{"python >=3.10,<3.11.0a0"}},
		} {
			c.Build, c.Channel, c.Subdir, c.SHA256 = "h1_0", "conda-forge", subdir, digest
			c.File = fmt.Sprintf("%s-%s-h1_0.conda", c.Name, c.Version)
			packages = append(packages, lock.CondaPackage{Platform: platform, Package: c})
		}
	}
	p.lock([]lock.Package{{Name: "alpha", Version: "1.0", Wheels: []lock.Wheel{p.wheel(p.wheels, "alpha", "1.0")}}},
		&lock.Conda{Channels: []string{"conda-forge"}, Requests: []string{"pytables ==3.9.2", "python 3.10.*"}, Packages: packages})
	return p
}

func TestCondaPackages(t *testing.T) {
	e := condaProject(t).mustOpen()
	g, err := e.Graph("")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"alpha", "conda:pytables", "conda:python"}; !slices.Equal(g.Roots, want) {
		t.Errorf("roots %q, want %q", g.Roots, want)
	}
	for key, want := range map[string]string{"conda:python": "[conda:libffi]", "conda:pytables": "[conda:python]", "conda:libffi": "[]"} {
		if p := g.Packages[key]; p == nil || fmt.Sprint(p.Dependencies) != want || p.Platforms != nil || p.Version != map[string]string{"conda:python": "3.10.16", "conda:pytables": "3.9.2", "conda:libffi": "3.4.2"}[key] {
			t.Errorf("%s is %+v", key, p)
		}
	}
	r, err := e.Why("pytables", "linux-x86_64")
	if err != nil {
		t.Fatal(err)
	}
	var requests []string
	for _, q := range r.Requested {
		requests = append(requests, fmt.Sprintf("%s %s %s:%d", q.Type, q.Text, q.Why, q.Pos.Line))
	}
	if want := []string{"python tables :12", "conda pytables ==3.9.2 for HDF5:11"}; !slices.Equal(requests, want) {
		t.Errorf("requested as %q, want %q", requests, want)
	}
}

func TestLicencesOfPythonPackages(t *testing.T) {
	p := everySource(t)
	e := p.mustOpen()
	local, err := e.project.Local()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(e.Locked.Packages, func(q lock.Package) bool { return q.Name == "alpha" })
	info := filepath.Join(layout.DistFiles(layout.Dist(local.Store, e.Locked.Packages[i].Wheels[0].SHA256.String())), "alpha-1.0.dist-info")
	if err := errors.Join(os.MkdirAll(info, 0o755), os.WriteFile(filepath.Join(local.Store, "store.json"), []byte("{\"program\":\"reconcile\",\"format\":1}\n"), 0o600), os.WriteFile(filepath.Join(info, "METADATA"), []byte("Name: alpha\nLicense-Expression: MIT\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	x := p.export(ExportOptions{Format: "cyclonedx"})
	if strings.Count(string(x.Content), `"expression": "MIT"`) != 1 || len(x.Notes) != 1 || !strings.HasPrefix(x.Notes[0], "9 Python packages have no known licence") {
		t.Errorf("notes %q and\n%s", x.Notes, x.Content)
	}
}

func TestWhyOfRequirementsOfBuilds(t *testing.T) {
	e := everySource(t).mustOpen()
	r, err := e.Why("Setuptools", "")
	if err != nil || r.Version != "80.0" || !slices.Equal(r.Builds, []string{"built", "dir", "git"}) || len(r.Chains) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := e.Why("alpa", ""); code(err) != "packages.absent" || !strings.Contains(fmt.Sprint(diag.Problems(err)[0].Hint), "alpha") {
		t.Errorf("a misspelled name: %v", err)
	}
	r, err = e.Why("beta", "")
	if err != nil || r.Version != "1.0, 2.0" || r.Platforms == nil || len(r.Platforms) != 2 {
		t.Errorf("two versions: %+v, %v", r, err)
	}
}

func TestLockOfAnotherTool(t *testing.T) {
	p := newProject(t)
	p.manifest("type: venv", "path: .venv", "requirements: [\"pyproject.toml#dev\"]")
	manifest := filepath.Join(p.dir, "manifest.yaml")
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	p.write("manifest.yaml", strings.ReplaceAll(strings.ReplaceAll(string(text), "pylock.main.toml", "uv.lock"), ", macos-arm64", ""))
	p.write("pyproject.toml", "[project]\nname = \"demo\"\nversion = \"1\"\nrequires-python = \">=3.10\"\ndependencies = [\n  \"top>=1\",\n]\n[dependency-groups]\ndev = [\"tool\"]\n[tool.uv]\npackage = false\n")
	registry := func(name, more string) string {
		return fmt.Sprintf("[[package]]\nname = %q\nversion = \"1.0\"\nsource = { registry = \"https://packages.invalid/simple\" }\n%swheels = [{ url = \"https://files.invalid/%s-1.0-py3-none-any.whl\", hash = \"sha256:%s\", size = 5 }]\n", name, more, name, digest)
	}
	p.write("uv.lock", "version = 1\nrevision = 3\nrequires-python = \">=3.10\"\n[[package]]\nname = \"demo\"\nversion = \"1\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"top\" }]\n[package.dev-dependencies]\ndev = [{ name = \"tool\" }]\n[package.metadata]\nrequires-dist = [{ name = \"top\", specifier = \">=1\" }]\n[package.metadata.requires-dev]\ndev = [{ name = \"tool\" }]\n"+
		registry("leaf", "")+registry("tool", "dependencies = [{ name = \"leaf\" }]\n")+registry("top", "dependencies = [{ name = \"leaf\" }]\n"))
	r, err := p.mustOpen().Why("leaf", "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range r.Chains {
		got = append(got, fmt.Sprintf("%s:%d %d", c[0].Requested[0].Text, c[0].Requested[0].Pos.Line, len(c)))
	}
	if want := []string{"tool:9 2", "top>=1:6 2"}; !slices.Equal(got, want) {
		t.Errorf("chains %q, want %q", got, want)
	}
}

func TestDocumentsMatchTheirSchemas(t *testing.T) {
	check := func(schema string, doc any) {
		t.Helper()
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		outputschema.Load(t, schema).Check(t, text)
	}
	for _, p := range []*project{everySource(t), condaProject(t)} {
		e := p.mustOpen()
		g, err := e.Graph("linux-x86_64")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []TreeSelection{{Depth: -1}, {Depth: 0}, {Depth: -1, Invert: "alpha"}} {
			tree, err := e.Tree(g, "linux-x86_64", s)
			if err != nil {
				t.Fatal(err)
			}
			check("tree", NewTreeDocument(e, "linux-x86_64", s, tree))
		}
		for _, name := range e.Names() {
			r, err := e.Why(name, "")
			if err != nil {
				t.Fatal(err)
			}
			check("why", NewReasonDocument(e, "", r))
		}
		o := ExportOptions{Format: "requirements"}
		check("export", NewExportDocument(e, p.export(o), o, ""))
		check("export", NewExportDocument(e, p.export(o), o, "out"))
	}
}

func TestExportsAreReplacedAndOtherFilesAreNot(t *testing.T) {
	p := everySource(t)
	c := &session.Config{Dir: p.dir}
	for _, format := range Formats() {
		file, err := CheckDestination(c, "out."+format, false)
		if err != nil {
			t.Fatal(err)
		}
		x := p.export(ExportOptions{Format: format})
		if err := x.Write(file, "out."+format); err != nil {
			t.Fatal(err)
		}
		if _, err := CheckDestination(c, "out."+format, false); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
	p.write("notes.md", "`reconcile export --format pylock` wrote nothing here\n")
	if _, err := CheckDestination(c, "notes.md", false); code(err) != "export.exists" {
		t.Errorf("another file: %v", err)
	}
	if _, err := CheckDestination(c, "notes.md", true); err != nil {
		t.Errorf("with force: %v", err)
	}
	if err := os.Symlink("notes.md", filepath.Join(p.dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := CheckDestination(c, "link", true); code(err) != "export.exists" {
		t.Errorf("a link: %v", err)
	}
}

// randomGraph returns a graph with cycles.
func randomGraph(t *rapid.T) *Graph {
	n := rapid.IntRange(1, 12).Draw(t, "packages")
	g := &Graph{Packages: map[string]*Package{}}
	name := func(i int) string { return string(rune('a' + i)) }
	for i := range n {
		p := &Package{Name: name(i), Version: "1", Type: python, Dependencies: []string{}}
		for _, j := range rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, min(n, 4), rapid.ID[int]).Draw(t, "dependencies") {
			if j != i {
				p.Dependencies = append(p.Dependencies, name(j))
			}
		}
		slices.Sort(p.Dependencies)
		g.Packages[p.Name] = p
	}
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, n, rapid.ID[int]).Draw(t, "requests") {
		g.Roots = append(g.Roots, name(i))
	}
	g.addRemaining()
	return g
}

// TestTreeShowsEachDependencyOnce checks that the whole tree has every package, and the
// dependencies of each exactly once.
func TestTreeShowsEachDependencyOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := randomGraph(t)
		for _, invert := range []bool{false, true} {
			s, next := TreeSelection{Depth: -1}, func(p *Package) []string { return p.Dependencies }
			if invert {
				s.Invert = g.Roots[0]
				dependents := g.Dependents()
				next = func(p *Package) []string { return dependents[p.Key()] }
			}
			tree, err := (&Environment{}).Tree(g, "", s)
			if err != nil {
				t.Fatal(err)
			}
			expanded, seen := map[string]int{}, map[string]bool{}
			var visit func(list []Branch)
			visit = func(list []Branch) {
				for _, b := range list {
					seen[b.Name] = true
					if b.Repeated {
						if len(b.Branches) > 0 || expanded[b.Name] != 1 {
							t.Fatalf("%s is marked before it is shown", b.Name)
						}
						continue
					}
					var names []string
					for _, c := range b.Branches {
						names = append(names, c.Name)
					}
					if !slices.Equal(names, next(b.Package)) {
						t.Fatalf("%s has branches %q, want %q", b.Name, names, next(b.Package))
					}
					if len(names) > 0 {
						if expanded[b.Name]++; expanded[b.Name] > 1 {
							t.Fatalf("%s is shown twice", b.Name)
						}
					}
					visit(b.Branches)
				}
			}
			visit(tree)
			if !invert && len(seen) != len(g.Packages) {
				t.Fatalf("%d of %d packages are shown", len(seen), len(g.Packages))
			}
		}
	})
}

// TestChainsAreShortest compares the chains with a search over all distances.
func TestChainsAreShortest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := randomGraph(t)
		to := rapid.SampledFrom(g.Keys()).Draw(t, "package")
		distance := map[string]int{to: 1}
		for range len(g.Packages) {
			for key, p := range g.Packages {
				for _, next := range p.Dependencies {
					if d := distance[next]; d > 0 && (distance[key] == 0 || distance[key] > d+1) {
						distance[key] = d + 1
					}
				}
			}
		}
		chains := g.chains(to)
		want := 0
		for _, root := range g.Roots {
			if distance[root] > 0 {
				want++
			}
		}
		if len(chains) != want {
			t.Fatalf("%d chains, want %d", len(chains), want)
		}
		for i, c := range chains {
			if !slices.Contains(g.Roots, c[0].Key()) || c[len(c)-1].Key() != to || len(c) != distance[c[0].Key()] || i > 0 && len(c) < len(chains[i-1]) {
				t.Fatalf("chain %d has %d packages, want %d", i, len(c), distance[c[0].Key()])
			}
			for j := range len(c) - 1 {
				if !slices.Contains(c[j].Dependencies, c[j+1].Key()) {
					t.Fatalf("%s does not depend on %s", c[j].Name, c[j+1].Name)
				}
			}
		}
	})
}
