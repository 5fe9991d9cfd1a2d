package lock

import (
	"fmt"
	"strings"
)

// Version is the lock-version of PEP 751 that is read and written.
const Version = "1.0"

// format is the version of the [tool.reconcile] table.
const format = 1

// MaxSize is the maximum size of a lock in bytes.
const MaxSize = 64 << 20

// document is the TOML form. The URLs of PEP 751 are read and ignored: each machine has
// its own index.
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
	Dependencies   []docName      `toml:"dependencies"`
	Index          string         `toml:"index"`
	Wheels         []docWheel     `toml:"wheels"`
	Sdist          *docWheel      `toml:"sdist"`
	VCS            *docVCS        `toml:"vcs"`
	Directory      *docDirectory  `toml:"directory"`
	Archive        *docWheel      `toml:"archive"`
	Attestations   []any          `toml:"attestation-identities"`
	Tool           docPackageTool `toml:"tool"`
}

type docName struct {
	Name string `toml:"name"`
}

type docVCS struct {
	Type         string `toml:"type"`
	URL          string `toml:"url"`
	Revision     string `toml:"requested-revision"`
	Commit       string `toml:"commit-id"`
	Subdirectory string `toml:"subdirectory"`
}

type docDirectory struct {
	Path         string `toml:"path"`
	Editable     bool   `toml:"editable"`
	Subdirectory string `toml:"subdirectory"`
}

type docPackageTool struct {
	Reconcile struct {
		Index string `toml:"index"`
	} `toml:"reconcile"`
	UV map[string]any `toml:"uv"`
}

type docWheel struct {
	Name       string            `toml:"name"`
	URL        string            `toml:"url"`
	Path       string            `toml:"path"`
	UploadTime any               `toml:"upload-time"`
	Size       int64             `toml:"size"`
	Hashes     map[string]string `toml:"hashes"`
	// Subdirectory is a key of archives only.
	Subdirectory string `toml:"subdirectory"`
}

type docTool struct {
	Reconcile docReconcile   `toml:"reconcile"`
	UV        map[string]any `toml:"uv"`
}

type docReconcile struct {
	Format    int              `toml:"format"`
	Platforms []string         `toml:"platforms"`
	Glibc     string           `toml:"glibc"`
	MacOS     string           `toml:"macos"`
	Requests  []string         `toml:"requests"`
	Unpacked  map[string]int64 `toml:"unpacked"`
	Builds    []docBuild       `toml:"builds"`
	Conda     *Conda           `toml:"conda"`
}

// docBuild holds what PEP 751 has no key for: the requirements of a build.
type docBuild struct {
	Name     string       `toml:"name"`
	Version  string       `toml:"version"`
	With     []string     `toml:"with"`
	Packages []docPackage `toml:"packages"`
}

// file returns the file name of a wheel: its name, or the end of its path or URL.
func (w docWheel) file() string {
	if w.Name != "" {
		return w.Name
	}
	if w.Path != "" {
		return w.Path[strings.LastIndexByte(w.Path, '/')+1:]
	}
	url, _, _ := strings.Cut(w.URL, "#")
	return strings.ReplaceAll(url[strings.LastIndexByte(url, '/')+1:], "%2B", "+")
}

// requiresPython returns the releases of a Python minor version: ">=3.10,<3.11" for
// "3.10".
func requiresPython(version string) (string, bool) {
	major, minor, ok := parseMinor(version)
	return fmt.Sprintf(">=%d.%d,<%d.%d", major, minor, major, minor+1), ok
}

// minorOf is the inverse of requiresPython.
func minorOf(requires string) (minor string, ok bool) {
	requires = strings.ReplaceAll(requires, " ", "")
	minor, _, _ = strings.Cut(strings.TrimPrefix(requires, ">="), ",")
	back, ok := requiresPython(minor)
	if !ok || back != requires {
		return "", false
	}
	return minor, true
}
