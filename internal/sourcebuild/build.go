// Package sourcebuild builds wheels from source, by the build backend of the source (PEP 517,
// PEP 660), in an environment that has only the locked requirements of the build.
//
// A backend is code of others. It runs without network and without access to other processes where
// the kernel grants namespaces, with an empty home directory and none of the user's variables. On
// Linux with Landlock it can write only into its source, its own directories and devices, and
// cannot read the user's home directory. All processes end with it, or after a deadline. What it
// prints is kept in a log.
package sourcebuild

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/wheels"
)

//go:embed runner.py
var runner string

const (
	// DefaultTimeout is the time limit of one hook. flash-attn takes hours on few cores.
	DefaultTimeout = 4 * time.Hour
	// venvTimeout is the time limit for the creation of an empty environment.
	venvTimeout = 2 * time.Minute
	// maxLog is the maximum size of a log in bytes; what follows is dropped.
	maxLog = 8 << 20
	// maxFile is the maximum size of a file that a build writes.
	maxFile = 16 << 30
	// maxProcesses is the maximum number of processes of a build of an ordinary user.
	maxProcesses = 4096
	// sourceEpoch is the time of files in archives that backends write, in s since 1970: the
	// first second that a zip file can store. Equal sources then give equal wheels.
	sourceEpoch = "315532800"
)

// Options are those of an Environment. Paths are absolute.
type Options struct {
	Name, Version string // of the package, for messages; Version may be ""
	Python        string // the interpreter for which the wheel is built
	Minor         string // its minor version: "3.10"
	Entries       []*wheels.Entry
	Jobs          int
	// Work is an empty directory that others cannot write, on the file system of the entries. The
	// caller removes it.
	Work    string
	Log     string                    // file, which is created or appended to
	Timeout time.Duration             // of one hook; 0 for DefaultTimeout
	Lock    *os.File                  // see command.Command
	Kill    context.Context           // see command.Command
	Line    func(stream, line string) // called for each line of output, as in command.Command; may be nil
}

// An Environment is one in which hooks of a build backend run.
type Environment struct {
	Options
	python string // of the environment
	build  string // the directory that hooks may write
	log    *logFile
}

// NewEnvironment creates an environment with the entries in o.Work.
func NewEnvironment(ctx context.Context, o Options) (*Environment, error) {
	// Files of the environment are links to those of the store, which no hook may write.
	prefix, private := filepath.Join(o.Work, "env"), filepath.Join(o.Work, "venv")
	e := &Environment{Options: o, log: &logFile{name: o.Log}, python: filepath.Join(prefix, "bin", "python"), build: filepath.Join(o.Work, "build")}
	for _, dir := range []string{private, e.build} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
	}
	if _, err := command.Run(ctx, command.Command{
		Program: o.Python, Args: []string{"-I", "-m", "venv", "--without-pip", "--", prefix}, Dir: private, Isolated: private,
		Timeout: venvTimeout, Lock: o.Lock, Kill: o.Kill,
	}); err != nil {
		return nil, fmt.Errorf("create an environment for the build of %s: %w", o.Name, err)
	}
	if len(o.Entries) == 0 {
		return e, nil
	}
	result, err := wheels.Assemble(ctx, prefix, e.python, o.Minor, o.Entries, max(1, o.Jobs), nil)
	if err != nil {
		return nil, fmt.Errorf("create an environment for the build of %s: %w", o.Name, err)
	}
	if len(result.Conflicts) > 0 {
		c := result.Conflicts[0]
		return nil, fmt.Errorf("create an environment for the build of %s: %s is in %s and in %s", o.Name, c.Path, cmp.Or(c.First, "the environment itself"), c.Name)
	}
	return e, nil
}

// Requires returns the requirements that the backend adds to those of p.
func (e *Environment) Requires(ctx context.Context, p *Project, editable bool) ([]string, error) {
	var list []string
	missing, err := e.call(ctx, p, hook("get_requires_for_build", editable), []any{map[string]any{}}, &list)
	if err != nil || missing {
		return nil, err
	}
	for _, r := range list {
		if _, err := pep.ParseRequirement(r); err != nil {
			return nil, fmt.Errorf("the build of %s demands %q, which %w", e.Name, r, err)
		}
	}
	return list, nil
}

// Metadata returns the metadata that the backend determines: without a build, if it can do that.
func (e *Environment) Metadata(ctx context.Context, p *Project, editable bool) (Metadata, error) {
	out, err := os.MkdirTemp(e.build, "metadata-")
	if err != nil {
		return Metadata{}, err
	}
	var name string
	missing, err := e.call(ctx, p, hook("prepare_metadata_for_build", editable), []any{out, map[string]any{}}, &name)
	if err != nil {
		return Metadata{}, err
	}
	var text []byte
	if missing {
		wheel, err := e.Wheel(ctx, p, editable)
		if err != nil {
			return Metadata{}, err
		}
		text, err = wheels.ReadMetadata(wheel)
		if err != nil {
			return Metadata{}, e.invalid("builds a wheel without metadata", err.Error())
		}
	} else {
		if !filepath.IsLocal(name) {
			return Metadata{}, e.invalid("wrote its metadata outside of its directory", name)
		}
		root, err := os.OpenRoot(out)
		if err != nil {
			return Metadata{}, err
		}
		defer root.Close()
		if text, err = rawfile.ReadRoot(root, filepath.Join(name, "METADATA"), maxText, 0); err != nil {
			return Metadata{}, e.invalid("wrote no metadata", err.Error())
		}
	}
	c := parseCore(text)
	if !c.complete() {
		return Metadata{}, e.invalid("wrote metadata without a valid name, version and requirements", fmt.Sprintf("name %q, version %q", c.Name, c.Version))
	}
	return c.Metadata, e.check(c.Metadata)
}

// check compares metadata with the package that is to be built.
func (e *Environment) check(m Metadata) error {
	if pep.Normalize(m.Name) == pep.Normalize(e.Name) && (e.Version == "" || pep.SameVersion(m.Version, e.Version)) {
		return nil
	}
	return e.invalid("is that of another package", strings.TrimSpace(m.Name+" "+m.Version))
}

// invalid returns the problem of a source whose metadata are wrong.
func (e *Environment) invalid(what, found string) error {
	return &diag.Problem{
		Code: "build.metadata", Summary: fmt.Sprintf("the source of %s %s", e.id(), what), Found: command.Escape(found),
		Hint: "correct the name or the version in the manifest, then run `reconcile lock`; output of the build: " + e.Log,
	}
}

// id returns "langdetect 1.0.9".
func (e *Environment) id() string { return strings.TrimSpace(e.Name + " " + e.Version) }

// Wheel builds a wheel, or an editable one whose modules remain in the source tree. It returns the
// absolute path of the wheel, in o.Work.
func (e *Environment) Wheel(ctx context.Context, p *Project, editable bool) (string, error) {
	out, err := os.MkdirTemp(e.build, "wheel-")
	if err != nil {
		return "", err
	}
	var name string
	missing, err := e.call(ctx, p, hook("build", editable), []any{out, map[string]any{}}, &name)
	if err != nil {
		return "", err
	}
	if missing {
		return "", &diag.Problem{
			Code: "build.failed", Summary: fmt.Sprintf("the build backend of %s cannot build an editable package", e.id()),
			Found: "it has no hook " + hook("build", editable), Hint: "require a later version of it in pyproject.toml, such as setuptools>=64",
		}
	}
	file := filepath.Join(out, filepath.Base(name))
	f, err := rawfile.OpenFile(file, rawfile.NoFollow)
	if err != nil || filepath.Base(name) != name {
		return "", e.invalid("was built, but there is no wheel with the name that its backend returned", name)
	}
	return file, f.Close()
}

// hook returns the name of the hook of PEP 517 or PEP 660.
func hook(name string, editable bool) string {
	if editable {
		return name + "_editable"
	}
	return name + "_wheel"
}

// call calls a hook, and decodes what it returns. It reports whether an optional hook is missing.
func (e *Environment) call(ctx context.Context, p *Project, hook string, arguments []any, value any) (missing bool, err error) {
	private, err := os.MkdirTemp(e.build, "hook-")
	if err != nil {
		return false, err
	}
	request := map[string]any{
		"hook": hook, "backend": p.Backend, "backend_path": append([]string{}, p.BackendPath...), "arguments": arguments,
		"response": filepath.Join(private, "response"), "home": homeDir(), "readable": []string{e.Work, p.Dir}, "writable": []string{e.build, p.Dir},
		"file_size": int64(maxFile), "processes": 0,
	}
	if command.CanIsolate() {
		request["processes"] = maxProcesses // counted in the namespace of the build
	}
	text, err := json.Marshal(request)
	if err != nil {
		return false, err
	}
	for name, content := range map[string][]byte{"runner.py": []byte(runner), "request": text, "setup.cfg": []byte(e.setuptools())} {
		if err := os.WriteFile(filepath.Join(private, name), content, 0o600); err != nil {
			return false, err
		}
	}
	if err := e.log.open(fmt.Sprintf("%s of %s, by %s\n", hook, e.id(), p.Backend)); err != nil {
		return false, err
	}
	defer e.log.close()
	result, err := command.Run(ctx, command.Command{
		Program: e.python, Args: []string{"-s", "-B", filepath.Join(private, "runner.py"), filepath.Join(private, "request")},
		Dir: p.Dir, Isolated: private, Contained: true, Env: e.variables(private),
		Timeout: cmp.Or(e.Timeout, DefaultTimeout), Grace: time.Second, Lock: e.Lock, Kill: e.Kill, Line: e.line,
	})
	if err != nil {
		return false, e.failed(ctx, hook, result, err)
	}
	answer, err := rawfile.ReadFile(filepath.Join(private, "response"), maxText, rawfile.NoFollow)
	if err != nil {
		return false, e.failed(ctx, hook, result, errors.New("the build backend ended the process without an answer"))
	}
	var response struct {
		Missing bool
		Value   json.RawMessage
	}
	err = json.Unmarshal(answer, &response)
	if err == nil && !response.Missing {
		err = json.Unmarshal(response.Value, value)
	}
	if err != nil {
		return false, e.failed(ctx, hook, result, fmt.Errorf("the build backend returned an invalid answer: %w", err))
	}
	return response.Missing, nil
}

// line keeps and reports a line of output.
func (e *Environment) line(stream, line string) {
	e.log.line(line)
	if e.Line != nil {
		e.Line(stream, line)
	}
}

// variables returns the variables of a hook. Programs of the build requirements, such as cmake and
// ninja, come before those of the system.
func (e *Environment) variables(private string) []string {
	jobs := strconv.Itoa(max(1, cmp.Or(e.Jobs, runtime.NumCPU())))
	env := []string{
		"PATH=" + filepath.Dir(e.python) + ":/usr/local/bin:/usr/bin:/bin", "VIRTUAL_ENV=" + filepath.Dir(filepath.Dir(e.python)),
		"SOURCE_DATE_EPOCH=" + sourceEpoch, "PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "PYTHONIOENCODING=utf-8",
		"DIST_EXTRA_CONFIG=" + filepath.Join(private, "setup.cfg"), // of setuptools
		"MAX_JOBS=" + jobs, "CMAKE_BUILD_PARALLEL_LEVEL=" + jobs,
	}
	if e.Version != "" { // else a commit after the lock would change the version of an editable project
		env = append(env, "SETUPTOOLS_SCM_PRETEND_VERSION="+e.Version, "PDM_BUILD_SCM_VERSION="+e.Version)
	}
	return env
}

// setuptools returns a configuration by which setuptools writes nothing into an editable project
// but the modules that it compiles.
func (e *Environment) setuptools() string {
	return fmt.Sprintf("[egg_info]\negg_base = %[1]s\n\n[build]\nbuild_base = %[1]s/build\n", strings.ReplaceAll(e.build, "%", "%%"))
}

// failed returns the problem of a hook that failed.
func (e *Environment) failed(ctx context.Context, hook string, result command.Result, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	found := []string{err.Error()}
	if ran, ok := errors.AsType[*command.Error](err); ok {
		if !ran.TimedOut() {
			found = found[:0]
		}
		found = append(found, ran.Tail...)
	}
	if len(found) == 0 {
		found = []string{err.Error()}
	}
	problem := &diag.Problem{
		Code: "build.failed", Summary: fmt.Sprintf("%s could not be built from source: %s failed", e.id(), hook),
		Found: strings.Join(found, "\n"), Hint: "its whole output is in " + e.Log + "; the active generation was not changed",
	}
	if hint := hintOf(pep.Normalize(e.Name), string(result.Stderr)+string(result.Stdout)); hint != "" {
		problem.Hint = hint + "; " + problem.Hint
	}
	return problem
}

// homeDir returns the home directory of the user, whatever HOME is.
func homeDir() string {
	if u, err := user.Current(); err == nil && filepath.IsAbs(u.HomeDir) && u.HomeDir != "/" {
		return u.HomeDir
	}
	if home := os.Getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Clean(home)
	}
	return "/nonexistent"
}

// A logFile is the file with the output of hooks.
type logFile struct {
	name string
	f    *os.File
	size int64
}

func (l *logFile) open(title string) error {
	f, err := os.OpenFile(l.name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	l.f = f
	if info, err := f.Stat(); err == nil && l.size == 0 && info.Size() > maxLog/2 { // of earlier builds
		_ = f.Truncate(0)
	}
	l.line(title)
	return nil
}

// line appends a line, until the file is as large as a log may be.
func (l *logFile) line(line string) {
	if l.size > maxLog {
		return
	}
	if l.size += int64(len(line)) + 1; l.size > maxLog {
		line = fmt.Sprintf("… the log ends after %d bytes", int64(maxLog))
	}
	_, _ = fmt.Fprintln(l.f, line) // a build does not fail because of its log
}

func (l *logFile) close() { _ = l.f.Close() }
