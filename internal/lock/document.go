package lock

import (
	"fmt"
	"strings"
)

// Version is the lock-version of PEP 751 that is read and written.
const Version = "1.0"

// format is the version of the [tool.reconcile] table.
const format = 1

// maxLock is the largest lock that is read, in bytes.
const maxLock = 64 << 20

// document is the TOML form. Keys of the standard that say where to get a file
// are read and not used: a machine knows its own index.
type document struct {
	LockVersion    string       `toml:"lock-version"`
	Environments   []string     `toml:"environments"`
	RequiresPython string       `toml:"requires-python"`
	CreatedBy      string       `toml:"created-by"`
	Extras         []string     `toml:"extras"`
	Groups         []string     `toml:"dependency-groups"`
	DefaultGroups  []string     `toml:"default-groups"`
	Packages       []docPackage `toml:"packages"`
	Tool           docTool      `toml:"tool"`
}

type docPackage struct {
	Name           string         `toml:"name"`
	Version        string         `toml:"version"`
	Marker         string         `toml:"marker"`
	RequiresPython string         `toml:"requires-python"`
	Dependencies   []any          `toml:"dependencies"`
	Index          string         `toml:"index"`
	Wheels         []docWheel     `toml:"wheels"`
	Sdist          *docWheel      `toml:"sdist"`
	VCS            any            `toml:"vcs"`
	Directory      any            `toml:"directory"`
	Archive        any            `toml:"archive"`
	Attestations   []any          `toml:"attestation-identities"`
	Tool           map[string]any `toml:"tool"`
}

type docWheel struct {
	Name       string            `toml:"name"`
	URL        string            `toml:"url"`
	Path       string            `toml:"path"`
	UploadTime any               `toml:"upload-time"`
	Size       int64             `toml:"size"`
	Hashes     map[string]string `toml:"hashes"`
}

type docTool struct {
	Reconcile docReconcile   `toml:"reconcile"`
	UV        map[string]any `toml:"uv"`
}

type docReconcile struct {
	Format    int              `toml:"format"`
	Platforms []string         `toml:"platforms"`
	Requests  []string         `toml:"requests"`
	Unpacked  map[string]int64 `toml:"unpacked"`
	Conda     *docConda        `toml:"conda"`
}

type docConda struct {
	Channels []string          `toml:"channels"`
	Requests []string          `toml:"requests"`
	Packages []docCondaPackage `toml:"packages"`
}

type docCondaPackage struct {
	Platform     string   `toml:"platform"`
	Name         string   `toml:"name"`
	Version      string   `toml:"version"`
	Build        string   `toml:"build"`
	BuildNumber  int64    `toml:"build-number"`
	Channel      string   `toml:"channel"`
	Subdir       string   `toml:"subdir"`
	Noarch       string   `toml:"noarch"`
	File         string   `toml:"file"`
	Size         int64    `toml:"size"`
	SHA256       string   `toml:"sha256"`
	MD5          string   `toml:"md5"`
	Depends      []string `toml:"depends"`
	Constrains   []string `toml:"constrains"`
	License      string   `toml:"license"`
	SitePackages string   `toml:"site-packages"`
}

// file returns the file name of a wheel: its name, or the end of its path or
// address.
func (w docWheel) file() string {
	switch {
	case w.Name != "":
		return w.Name
	case w.Path != "":
		return w.Path[strings.LastIndexByte(w.Path, '/')+1:]
	}
	address, _, _ := strings.Cut(w.URL, "#")
	return strings.ReplaceAll(address[strings.LastIndexByte(address, '/')+1:], "%2B", "+")
}

// requiresPython returns the versions of Python that belong to a line:
// ">=3.10,<3.11" for "3.10".
func requiresPython(line string) (string, bool) {
	major, minor, ok := parseLine(line)
	return fmt.Sprintf(">=%d.%d,<%d.%d", major, minor, major, minor+1), ok
}

// lineOf is the reverse of requiresPython.
func lineOf(requires string) (line string, ok bool) {
	requires = strings.ReplaceAll(requires, " ", "")
	line, _, _ = strings.Cut(strings.TrimPrefix(requires, ">="), ",")
	back, ok := requiresPython(line)
	if !ok || back != requires {
		return "", false
	}
	return line, true
}

// Line returns the line of Python that the lock is for: "3.10".
func (l *Lock) Line() string {
	line, _ := lineOf(l.RequiresPython)
	return line
}
