package lock

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// head is the comment at the top of a lock. The error of a tool that does not find the files of a
// lock leads to it.
const head = "# Written by `reconcile lock` from manifest.yaml. Do not edit: change the manifest, then run it again.\n" +
	"# The files have no URLs here. For uv and pip: `reconcile export --format pylock -o pylock.toml`\n"

// Encode writes the lock as pylock.toml. Equal locks give equal bytes.
func (l *Lock) Encode() []byte {
	var b strings.Builder
	b.WriteString(head)
	e := encoder{l: l, b: &b, unpacked: map[string]int64{}}
	e.head()
	platforms := slices.Sorted(slices.Values(l.Platforms))
	packages := slices.SortedStableFunc(slices.Values(l.Packages), comparePackages)
	for _, p := range packages {
		b.WriteString("\n[[packages]]\n")
		e.pkg(p)
	}
	fmt.Fprintf(&b, "\n[tool.reconcile]\nformat = %d\nplatforms = %s\n", format, quoteList(platforms))
	if l.Systems.Glibc != "" {
		fmt.Fprintf(&b, "glibc = %s\n", quote(l.Systems.Glibc))
	}
	if l.Systems.MacOS != "" {
		fmt.Fprintf(&b, "macos = %s\n", quote(l.Systems.MacOS))
	}
	b.WriteString("requests = [\n")
	for _, r := range slices.Sorted(slices.Values(l.Requests)) {
		fmt.Fprintf(&b, "    %s,\n", quote(r))
	}
	b.WriteString("]\n")
	for _, p := range packages {
		if p.Build != nil && len(p.Build.Requires)+len(p.Build.With) > 0 {
			e.build(p)
		}
	}
	if len(e.unpacked) > 0 {
		b.WriteString("\n# Installed size in bytes, if known.\n[tool.reconcile.unpacked]\n")
		for _, file := range slices.Sorted(maps.Keys(e.unpacked)) {
			fmt.Fprintf(&b, "%s = %d\n", quote(file), e.unpacked[file])
		}
	}
	if l.Conda != nil {
		l.Conda.encode(&b)
	}
	return []byte(b.String())
}

// A Portable is a lock for programs other than reconcile.
type Portable struct {
	Lock    *Lock
	Comment []string // lines at the top
	// Locate returns the URL of a file of an index, or an absolute path.
	Locate func(p Package, file string) string
	// Relative returns the path of a path of the project, relative to the directory of the file
	// that is written.
	Relative func(path string) string
}

// Encode writes the lock as pylock.toml, without the keys of reconcile.
func (p Portable) Encode() []byte {
	var b strings.Builder
	for _, line := range p.Comment {
		fmt.Fprintf(&b, "# %s\n", comment(line))
	}
	e := encoder{l: p.Lock, b: &b, unpacked: map[string]int64{}, portable: &p}
	e.head()
	for _, q := range slices.SortedStableFunc(slices.Values(p.Lock.Packages), comparePackages) {
		b.WriteString("\n[[packages]]\n")
		e.pkg(q)
	}
	return []byte(b.String())
}

// Restrict returns the lock for one of its platforms alone.
func (l *Lock) Restrict(platform string) *Lock {
	one := *l
	one.Platforms, one.Packages = []string{platform}, nil
	for _, p := range l.Packages {
		if !p.needs(platform) {
			continue
		}
		p.Platforms = nil
		p.Wheels = slices.DeleteFunc(slices.Clone(p.Wheels), func(w Wheel) bool { return !slices.Contains(w.Platforms, platform) })
		one.Packages = append(one.Packages, p)
	}
	return &one
}

// An encoder writes the packages of a lock.
type encoder struct {
	l        *Lock
	b        *strings.Builder
	unpacked map[string]int64 // installed sizes by file, which PEP 751 has no key for
	portable *Portable        // nil for a lock of reconcile
}

// head writes what precedes the packages.
func (e *encoder) head() {
	fmt.Fprintf(e.b, "lock-version = %s\n", quote(Version))
	e.b.WriteString("environments = [\n")
	for _, p := range slices.Sorted(slices.Values(e.l.Platforms)) {
		fmt.Fprintf(e.b, "    %s,\n", quote(marker(p)))
	}
	fmt.Fprintf(e.b, "]\nrequires-python = %s\ncreated-by = \"reconcile\"\n", quote(e.l.RequiresPython))
}

// pkg writes a package below its header.
func (e *encoder) pkg(p Package) {
	fmt.Fprintf(e.b, "name = %s\nversion = %s\n", quote(p.Name), quote(p.Version))
	if p.Platforms != nil {
		fmt.Fprintf(e.b, "marker = %s\n", quote(Marker(p.Platforms)))
	}
	if len(p.Dependencies) > 0 {
		names := make([]string, len(p.Dependencies))
		for i, name := range p.Dependencies {
			names[i] = "{name = " + quote(name) + "}"
		}
		fmt.Fprintf(e.b, "dependencies = [%s]\n", strings.Join(names, ", "))
	}
	if p.Index != "" && e.portable == nil {
		fmt.Fprintf(e.b, "tool = {reconcile = {index = %s}}\n", quote(p.Index))
	}
	wheels := slices.SortedFunc(slices.Values(p.Wheels), compareWheels)
	for _, w := range wheels {
		if w.Unpacked > 0 {
			e.unpacked[w.File] = w.Unpacked
		}
	}
	switch {
	case p.Build != nil:
		e.source(p)
	case p.URL != "":
		fmt.Fprintf(e.b, "archive = {%s, %s}\n", e.location(p.URL), sizeAndHash(wheels[0].Size, wheels[0].SHA256))
	default:
		e.b.WriteString("wheels = [\n")
		for _, w := range wheels {
			fmt.Fprintf(e.b, "    {name = %s, %s, %s},\n", quote(w.File), e.place(p, "wheels/", w.File), sizeAndHash(w.Size, w.SHA256))
		}
		e.b.WriteString("]\n")
	}
}

// place returns the key of a file of an index: dir/file, which no program finds, or where the
// file is.
func (e *encoder) place(p Package, dir, file string) string {
	if e.portable == nil {
		return "path = " + quote(dir+file)
	}
	location := e.portable.Locate(p, file)
	if path.IsAbs(location) {
		return "path = " + quote(location)
	}
	return "url = " + quote(location)
}

// source writes the input of a build.
func (e *encoder) source(p Package) {
	s := p.Build.Source
	subdirectory := ""
	if s.Subdirectory != "" {
		subdirectory = ", subdirectory = " + quote(s.Subdirectory)
	}
	switch {
	case s.Directory != "":
		fmt.Fprintf(e.b, "directory = {path = %s, editable = true}\n", quote(e.relative(s.Directory)))
	case s.Git != "":
		fmt.Fprintf(e.b, "vcs = {type = \"git\", url = %s, commit-id = %s%s}\n", quote(s.Git), quote(s.Commit), subdirectory)
	case s.URL != "":
		fmt.Fprintf(e.b, "archive = {%s, %s%s}\n", e.location(s.URL), sizeAndHash(s.Size, s.SHA256), subdirectory)
	default:
		fmt.Fprintf(e.b, "sdist = {name = %s, %s, %s}\n", quote(s.File), e.place(p, "sdists/", s.File), sizeAndHash(s.Size, s.SHA256))
	}
}

// location returns the key of a direct reference.
func (e *encoder) location(url string) string {
	if name, ok := strings.CutPrefix(url, "./"); ok {
		return "path = " + quote(e.relative(name))
	}
	return "url = " + quote(url)
}

// relative returns a path of the project relative to the directory of the lock, which PEP 751
// prescribes.
func (e *encoder) relative(name string) string {
	if e.portable != nil {
		return e.portable.Relative(name)
	}
	return path.Join(strings.Repeat("../", strings.Count(e.l.Path, "/")), name)
}

func sizeAndHash(size int64, sum facts.SHA256) string {
	text := "hashes = {sha256 = " + quote(sum.String()) + "}"
	if size > 0 {
		text = fmt.Sprintf("size = %d, %s", size, text)
	}
	return text
}

// build writes the requirements of a build.
func (e *encoder) build(p Package) {
	fmt.Fprintf(e.b, "\n[[tool.reconcile.builds]]\nname = %s\nversion = %s\n", quote(p.Name), quote(p.Version))
	if len(p.Build.With) > 0 {
		fmt.Fprintf(e.b, "with = %s\n", quoteList(p.Build.With))
	}
	for _, r := range slices.SortedStableFunc(slices.Values(p.Build.Requires), comparePackages) {
		e.b.WriteString("\n[[tool.reconcile.builds.packages]]\n")
		e.pkg(r)
	}
}

func (c *Conda) encode(b *strings.Builder) {
	b.WriteString("\n# Conda packages, solved for each platform.\n[tool.reconcile.conda]\n")
	fmt.Fprintf(b, "channels = %s\nrequests = %s\n", quoteList(c.Channels), quoteList(slices.Sorted(slices.Values(c.Requests))))
	for _, p := range slices.SortedFunc(slices.Values(c.Packages), compareConda) {
		b.WriteString("\n[[tool.reconcile.conda.packages]]\n")
		for _, kv := range [][2]string{
			{"platform", p.Platform}, {"name", p.Name}, {"version", p.Version}, {"build", p.Build}, {"channel", p.Channel},
			{"subdir", p.Subdir}, {"noarch", p.Noarch}, {"file", p.File}, {"sha256", p.SHA256}, {"md5", p.MD5},
			{"license", p.License}, {"site-packages", p.SitePackages},
		} {
			if kv[1] != "" {
				fmt.Fprintf(b, "%s = %s\n", kv[0], quote(kv[1]))
			}
		}
		fmt.Fprintf(b, "build-number = %d\n", p.BuildNumber)
		if p.Size > 0 {
			fmt.Fprintf(b, "size = %d\n", p.Size)
		}
		if len(p.Depends) > 0 {
			fmt.Fprintf(b, "depends = %s\n", quoteList(p.Depends))
		}
		if len(p.Constrains) > 0 {
			fmt.Fprintf(b, "constrains = %s\n", quoteList(p.Constrains))
		}
	}
}

func quoteList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// quote writes a basic string of TOML, which is also a double-quoted string of YAML. It
// escapes the characters that some YAML parsers treat as line ends or reject.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || c >= 0x7f && c < 0xa0, c == '\u2028' || c == '\u2029', c == '\ufeff' || c == '\ufffe' || c == '\uffff':
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
