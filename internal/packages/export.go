package packages

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/simpleindex"
)

// Formats returns the formats of Export, the default first.
func Formats() []string {
	return []string{"requirements", "pylock", "uv", "environment", "cyclonedx"}
}

// ExportOptions state what is exported.
type ExportOptions struct {
	Format   string
	Platform string // "" for all platforms of the lock
	NoHashes bool   // leave out the hashes of requirements
	Dir      string // of the file, absolute; "" for the root of the project
}

// An Export is a lock in the format of another tool.
type Export struct {
	Content []byte
	// Notes are what the format cannot express.
	Notes []string
}

const command = "reconcile export"

// signs returns the texts of which each exported file has one at its beginning, so that the next
// export may replace it.
func signs() [][]byte {
	return [][]byte{[]byte("# Written by `" + command), []byte(`"value": "` + command)}
}

// Export returns the lock in the format of another tool. It must not be stale. source is where
// this machine gets packages from: its URLs are in a pylock, and only there.
func (e *Environment) Export(ctx context.Context, source func() (*simpleindex.Source, error), o ExportOptions) (*Export, error) {
	if e.Stale != nil {
		return nil, e.Stale
	}
	x := &exporter{Environment: e, o: o, locked: e.Locked}
	if o.Dir == "" {
		x.o.Dir = e.project.Root
	}
	if o.Platform != "" {
		x.locked = e.Locked.Restrict(o.Platform)
	}
	var err error
	switch o.Format {
	case "requirements":
		x.requirements()
	case "pylock":
		err = x.pylock(ctx, source)
	case "uv":
		x.uv()
	case "environment":
		x.environment()
	case "cyclonedx":
		err = x.cyclonedx()
	default:
		err = fmt.Errorf("there is no format %q", o.Format)
	}
	if err != nil {
		return nil, err
	}
	if e.Locked.Conda != nil && o.Format != "environment" && o.Format != "cyclonedx" {
		x.note("conda packages are not in it; `%s --format environment` has those that are requested", command)
	}
	return &Export{Content: []byte(x.b.String()), Notes: x.notes}, nil
}

// An exporter writes one format.
type exporter struct {
	*Environment
	o      ExportOptions
	locked *lock.Lock
	b      strings.Builder
	notes  []string
}

func (x *exporter) note(format string, args ...any) {
	x.notes = append(x.notes, fmt.Sprintf(format, args...))
}

func (x *exporter) line(format string, args ...any) { fmt.Fprintf(&x.b, format+"\n", args...) }

// head returns the comment at the top of a file.
func (x *exporter) head() []string {
	return []string{
		fmt.Sprintf("Python packages of environment %s of project %s: Python %s, %s.", x.Name, x.project.Manifest.Project, x.Python, strings.Join(slices.Sorted(slices.Values(x.locked.Platforms)), ", ")),
		fmt.Sprintf("Written by `%s --format %s` from %s.", command, x.o.Format, strings.Join(strings.Fields(x.locked.Path), " ")),
	}
}

// marker returns the marker of the platforms that need a package, "" for all.
func (x *exporter) marker(p lock.Package) string {
	if p.Platforms == nil || len(p.Platforms) == len(x.locked.Platforms) {
		return ""
	}
	return lock.Marker(p.Platforms)
}

// relative returns a path of the project relative to the directory of the file, with slashes.
func (x *exporter) relative(name string) string {
	absolute := x.project.Path(strings.TrimPrefix(name, "./"))
	relative, err := filepath.Rel(x.o.Dir, absolute)
	if err != nil {
		return absolute
	}
	return filepath.ToSlash(relative)
}

// dotted returns a relative path that begins with a dot, so that no program reads it as a name.
func (x *exporter) dotted(name string) string {
	relative := x.relative(name)
	if strings.HasPrefix(relative, ".") || strings.HasPrefix(relative, "/") {
		return relative
	}
	return "./" + relative
}

// isLocal reports whether a direct reference is a path in the project.
func isLocal(text string) bool { return strings.HasPrefix(text, "./") }

// indexes returns the indexes of the manifest from which locked packages are, and those that are
// searched for all packages, with the names of their packages.
func (x *exporter) indexes() (list []namedIndex) {
	for _, index := range x.Sources().Indexes {
		var names []string
		for _, p := range x.locked.Packages {
			if p.Index == index.Name && !slices.Contains(names, p.Name) {
				names = append(names, p.Name)
			}
		}
		if len(names) > 0 || index.Searched {
			list = append(list, namedIndex{index.Name, withoutUser(index.URL), index.Searched, names})
		}
	}
	return list
}

// A namedIndex is an index of the manifest.
type namedIndex struct {
	name, url string
	searched  bool
	packages  []string
}

// withoutUser returns a URL without user name and password.
func withoutUser(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return text
	}
	u.User = nil
	return u.String()
}

// links returns the pages and folders with wheels.
func (x *exporter) links() (list []string) {
	for _, link := range x.Sources().FindLinks {
		if isLocal(link) {
			link = x.dotted(link)
		}
		list = append(list, withoutUser(link))
	}
	return list
}

// direct returns the reference after "NAME @ " of a package that is not from an index, "" for
// others and for paths.
func direct(p lock.Package) string {
	switch b := p.Build; {
	case b == nil && !isLocal(p.URL):
		return withoutFragment(p.URL)
	case b != nil && b.Git != "":
		text := "git+" + b.Git + "@" + b.Commit
		if b.Subdirectory != "" {
			text += "#subdirectory=" + b.Subdirectory
		}
		return text
	case b != nil && b.URL != "" && !isLocal(b.URL):
		if b.Subdirectory != "" {
			return withoutFragment(b.URL) + "#subdirectory=" + b.Subdirectory
		}
		return withoutFragment(b.URL)
	}
	return ""
}

func withoutFragment(text string) string {
	text, _, _ = strings.Cut(text, "#")
	return text
}

// localPath returns the path of a package in the project, "" for others.
func localPath(p lock.Package) string {
	switch b := p.Build; {
	case b == nil && isLocal(p.URL):
		return withoutFragment(p.URL)
	case b != nil && b.Directory != "":
		return b.Directory
	case b != nil && isLocal(b.URL):
		return withoutFragment(b.URL)
	}
	return ""
}

// hashes returns the digests of the files of a package, nil if it has none.
func hashes(p lock.Package) (list []string) {
	for _, w := range p.Wheels {
		list = append(list, w.SHA256.String())
	}
	if p.Build != nil && (p.Build.File != "" || p.Build.URL != "") && !p.Build.SHA256.IsZero() {
		list = append(list, p.Build.SHA256.String())
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// requirement returns the line of a requirements file for a package, without hashes. place returns
// the path of a path of the project.
func (x *exporter) requirement(p lock.Package, place func(string) string) string {
	text := p.Name + "==" + p.Version
	if local := localPath(p); local != "" {
		text = place(local)
		if p.Build != nil && p.Build.Directory != "" {
			text = "-e " + text
		}
	} else if reference := direct(p); reference != "" {
		text = p.Name + " @ " + reference
	}
	if marker := x.marker(p); marker != "" {
		text += " ; " + marker
	}
	return text
}

// requirements writes a requirements file with the hashes of all files.
func (x *exporter) requirements() {
	for _, line := range x.head() {
		x.line("# %s", line)
	}
	where := ""
	if slices.ContainsFunc(x.locked.Packages, func(p lock.Package) bool { return localPath(p) != "" }) {
		where = "In the root of the project: "
	}
	if !x.o.NoHashes {
		x.line("# %spip install --require-hashes -r FILE, or uv pip sync FILE", where)
	} else if where != "" {
		x.line("# %spip install -r FILE, or uv pip sync FILE", where)
	}
	for _, index := range x.indexes() {
		text := "searched for all packages"
		if len(index.packages) > 0 {
			text = strings.Join(index.packages, ", ")
		}
		x.line("\n# Index %s: %s. For uv, add --index-strategy unsafe-best-match.\n--extra-index-url %s", index.name, text, index.url)
	}
	for _, link := range x.links() {
		x.line("--find-links %s", link)
	}
	x.line("")
	// pip and uv read paths relative to the working directory, and --find-links relative to the file.
	fromRoot := func(name string) string {
		if name = strings.TrimPrefix(name, "./"); name == "" || name == "." {
			return "."
		}
		return "./" + name
	}
	var without []string
	for _, p := range x.locked.Packages {
		text, sums := x.requirement(p, fromRoot), hashes(p)
		if len(sums) == 0 {
			without = append(without, p.Name)
		}
		if !x.o.NoHashes {
			for _, sum := range sums {
				text += " \\\n    --hash=sha256:" + sum
			}
		}
		x.line("%s", text)
	}
	if len(without) > 0 && !x.o.NoHashes {
		x.note("%s: from git or a directory, which have no hash; pip refuses them in a file with hashes: use --no-hashes, or uv pip sync", strings.Join(without, ", "))
	}
}

// environment writes an environment file for conda clients.
func (x *exporter) environment() {
	f := lock.CondaFile{
		Project: x.project.Manifest.Project, Environment: x.Name, Name: x.project.Manifest.Project + "-" + x.Name, Channels: []string{"conda-forge", "nodefaults"}, Python: x.Python,
		Closure: x.locked, Command: command + " --format environment", Pip: []lock.PipLine{},
	}
	if c := x.Conda; c != nil {
		f.Name, f.Channels, f.Conda = c.Name, slices.Clone(c.Channels), c.Packages
		if c.NoDefaults {
			f.Channels = append(f.Channels, "nodefaults")
		}
	}
	for _, index := range x.indexes() {
		f.Pip = append(f.Pip, lock.PipLine{Line: "--extra-index-url " + index.url})
	}
	for _, link := range x.links() {
		f.Pip = append(f.Pip, lock.PipLine{Line: "--find-links " + link})
	}
	// The requests come first, with their reasons.
	listed := map[string]bool{}
	add := func(name, why string) {
		for _, p := range x.locked.Packages {
			if p.Name == name && !listed[name] {
				f.Pip = append(f.Pip, lock.PipLine{Comment: why, Line: x.requirement(p, x.dotted)})
				why = ""
			}
		}
		listed[name] = true
	}
	for _, r := range x.requests {
		if r.Type == python {
			add(r.Name, r.Why)
		}
	}
	why := "Dependencies, locked in " + x.locked.Path + "."
	for _, p := range x.locked.Packages {
		if !listed[p.Name] {
			add(p.Name, why)
			why = ""
		}
	}
	x.b.WriteString(f.Encode())
}

// maxRequests is how many pages of an index are read at the same time.
const maxRequests = 16

// pylock writes a lock by PEP 751 with the URLs of the files.
func (x *exporter) pylock(ctx context.Context, source func() (*simpleindex.Source, error)) error {
	from, err := source()
	if err != nil {
		return err
	}
	urls, err := x.locate(ctx, from)
	if err != nil {
		return err
	}
	x.b.Write(lock.Portable{
		Lock: x.locked, Comment: append(x.head(), "The URLs are those of the package index of the machine that wrote it. uv pip sync FILE, or pip install -r FILE"),
		Locate: func(p lock.Package, file string) string { return urls[p.Index+"/"+file] }, Relative: x.relative,
	}.Encode())
	return nil
}

// locate returns the URL, or the absolute path, of each file of an index, by INDEX/FILE.
func (x *exporter) locate(ctx context.Context, source *simpleindex.Source) (map[string]string, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	var problems diag.List
	urls := map[string]string{}
	var reading sync.WaitGroup
	slots := make(chan struct{}, maxRequests)
	one := func(p lock.Package, file lock.Wheel) error {
		from, err := source.Index(p.Index)
		if err != nil {
			return err
		}
		u, err := from.Locate(ctx, p.Name, file)
		if err != nil {
			return err
		}
		text := u.String()
		if u.Scheme == "file" {
			text = u.Path
		}
		mu.Lock()
		defer mu.Unlock()
		urls[p.Index+"/"+file.File] = text
		return nil
	}
	for _, p := range x.locked.Packages {
		files := p.Wheels
		if p.Build != nil && p.Build.File != "" {
			files = []lock.Wheel{{File: p.Build.File, Size: p.Build.Size, SHA256: p.Build.SHA256}}
		}
		if p.URL != "" || p.Build != nil && (p.Build.File == "" || p.Build.URL != "") {
			continue
		}
		reading.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			for _, file := range files {
				if err := one(p, file); err != nil {
					mu.Lock()
					if !errors.Is(err, context.Canceled) {
						problems.AddErr(err)
					}
					mu.Unlock()
					stop() // the others would fail for the same reason
					return
				}
			}
		})
	}
	reading.Wait()
	if err := problems.Err(); err != nil {
		return nil, diag.Problems(err)[0]
	}
	return urls, ctx.Err()
}

// maxFile is how much of a file is read to find out which program wrote it.
const maxFile = 8 << 10

// CheckDestination returns the absolute path of a file for an export. Without force, a file that
// no export wrote is not replaced.
func CheckDestination(c *session.Config, name string, force bool) (string, error) {
	file, err := c.Path(name)
	if err != nil {
		return "", err
	}
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return file, nil
	}
	if err == nil && info.Mode().IsRegular() {
		head := make([]byte, min(info.Size(), maxFile))
		if head, err = rawfile.Head(file, head); err == nil && (force || info.Size() == 0 || slices.ContainsFunc(signs(), func(s []byte) bool { return bytes.Contains(head, s) })) {
			return file, nil
		}
	}
	p := &diag.Problem{Code: "export.exists", Pos: diag.Pos{File: name}, Summary: "the file was not written by an export, and is not replaced", Hint: "name another file, or replace it with --force"}
	if err != nil {
		p.Found = err.Error()
	} else if !info.Mode().IsRegular() {
		p.Summary, p.Hint = "a link, a directory or a special file is not replaced", "name a file"
	}
	return "", p
}

// Write writes an export to a file, which it replaces. name is its name on the command line.
func (x *Export) Write(file, name string) error {
	root, err := os.OpenRoot(filepath.Dir(file))
	if err == nil {
		err = errors.Join(atomicfile.Write(root, filepath.Base(file), 0o644, x.Content), root.Close())
	}
	if err != nil {
		return &diag.Problem{Code: "export.write", Pos: diag.Pos{File: name}, Summary: "the file cannot be written", Found: err.Error(), Hint: "name a place that you may write to with -o"}
	}
	return nil
}

// quote writes a string of TOML, which those of JSON without control characters are.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(strings.ReplaceAll(text, "\x7f", "")) // a string has no encoding error
	return strings.TrimSpace(b.String())
}
