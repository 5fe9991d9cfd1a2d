package facts

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"strconv"
)

// A Fact is what is known of one key. Facts are plain values: compare and copy
// them freely.
type Fact interface{ Key() Key }

// SHA256 is a digest; the zero value means not known.
type SHA256 [32]byte

// IsZero reports whether the digest is not known.
func (d SHA256) IsZero() bool { return d == SHA256{} }

// String returns 64 hexadecimal digits, or "" where the digest is not known.
func (d SHA256) String() string {
	if d.IsZero() {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// MarshalText writes hexadecimal digits.
func (d SHA256) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads 64 hexadecimal digits, or nothing.
func (d *SHA256) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = SHA256{}
		return nil
	}
	if len(b) != 64 {
		return fmt.Errorf("sha256 %q has %d digits, not 64", b, len(b))
	}
	_, err := hex.Decode(d[:], b)
	return err
}

// Mode is the permission bits of a file, written in octal: "0644".
type Mode fs.FileMode

// String returns the mode in octal: "0644".
func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// MarshalText writes octal digits.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads octal digits.
func (m *Mode) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 8, 32)
	*m = Mode(n)
	return err
}

// Project is the checkout that is being planned.
type Project struct {
	Root string `json:"root"` // absolute, links resolved
	// State is the part of .reconcile that belongs to this machine, relative to
	// Root: ".reconcile/linux-x86_64-1f2e3d4c".
	State string `json:"state"`
}

// Host is the machine itself.
type Host struct {
	OS        string `json:"os"`       // "linux", "darwin" (GOOS)
	Arch      string `json:"arch"`     // "x86_64", "arm64" as the platform itself says it (uname -m; "aarch64" on Linux)
	Platform  string `json:"platform"` // "linux-x86_64", "linux-aarch64", "macos-arm64", "macos-x86_64": the names used in locks
	Hostname  string `json:"hostname"` // without domain
	OSVersion string `json:"os_version,omitempty"`
	Libc      Libc   `json:"libc,omitzero"`
	Container string `json:"container,omitempty"` // "docker", "podman", "wsl", "" for none seen
	Home      string `json:"home,omitempty"`      // of this user, absolute; "" for one without
}

// Libc is the C library, which decides what wheels can be installed.
type Libc struct {
	Name    string `json:"name,omitempty"`    // "glibc" or "musl"; "" on macOS
	Version string `json:"version,omitempty"` // "2.36"
}

// GPU says whether there is a GPU at all, read from files alone.
type GPU struct {
	Vendor string `json:"vendor"`           // "nvidia" or "none"
	Driver string `json:"driver,omitempty"` // kernel driver version where /proc/driver/nvidia says it
	Source string `json:"source,omitempty"` // the file that told
}

// Index is where this machine gets packages from, without secrets.
type Index struct {
	URL        string   `json:"url"`                   // "public", or the mirror without user and password
	Cert       string   `json:"cert,omitempty"`        // CA bundle
	FindLinks  []string `json:"find_links,omitempty"`  // local wheel folders
	Proxy      string   `json:"proxy,omitempty"`       // without user and password
	CondaAlias string   `json:"conda_alias,omitempty"` // below which channels of conda lie, without user and password; "" for the public ones
	Sources    []string `json:"sources,omitempty"`     // what said so: "PIP_CERT", "pip.conf of the user"
}

// PathType is what stands at a path.
type PathType string

const (
	Absent  PathType = "absent"
	Regular PathType = "file"
	Dir     PathType = "directory"
	Symlink PathType = "link"
	Other   PathType = "other" // device, socket, pipe
)

// Path is what stands at one path. The path itself is not followed when it is a
// link; Parent tells when the way to it is not made of plain directories.
type Path struct {
	Path   string   `json:"-"`
	Type   PathType `json:"type"`
	Mode   Mode     `json:"mode,omitempty"`   // permission bits; of links 0
	Size   int64    `json:"size,omitempty"`   // bytes; regular files only
	SHA256 SHA256   `json:"sha256,omitzero"`  // regular files up to 64 MiB
	Target string   `json:"target,omitempty"` // links only, as written
	Parent string   `json:"parent,omitempty"` // "" if every parent is a directory or absent; else "file data" or "link data -> /mnt": the first that is not
}

// Folder is what lies directly in a directory. One that is not there, or is no
// directory, is empty.
type Folder struct {
	Path    string   `json:"-"`
	Names   []string `json:"names,omitempty"` // sorted; no more than the first 1,000
	Entries int      `json:"entries"`         // all of them
}

// Tree is how much lies in a directory, links not followed. One that is not there
// holds nothing.
type Tree struct {
	Path    string   `json:"-"`
	Entries int64    `json:"entries"`         // files, directories and links
	Bytes   int64    `json:"bytes"`           // that would become free without it
	Users   []string `json:"users,omitempty"` // who uses something in it: "process 71 (python)", "this shell"
}

// Disk is the file system that holds a path, or will once the path exists.
type Disk struct {
	Path       string `json:"-"`
	Device     string `json:"device"`      // identifies the file system on this machine
	FileSystem string `json:"file_system"` // "ext2/3/4", "apfs", "tmpfs"
	Total      int64  `json:"total"`       // bytes
	Free       int64  `json:"free"`        // bytes that this user can have (f_bavail)
	FreeInodes int64  `json:"free_inodes"` // -1 where the file system has no such limit
	ReadOnly   bool   `json:"read_only,omitempty"`
	Writable   bool   `json:"writable"` // whether this user may write at the nearest existing parent
}

// Pythons are the interpreters of one line on this machine.
type Pythons struct {
	Minor    string        `json:"-"`               // "3.10"
	Found    []Interpreter `json:"found,omitempty"` // usable ones first, the preferred one at the front
	Searched []string      `json:"searched,omitempty"`
}

// Interpreter is one Python, known from files alone.
type Interpreter struct {
	Path    string `json:"path"`              // absolute, bin/python3.10
	Prefix  string `json:"prefix"`            // absolute, links resolved
	Version string `json:"version"`           // "3.10.13"
	Arch    string `json:"arch"`              // from the executable's header, spelled as in Host.Arch
	Source  string `json:"source"`            // "pyenv", "uv", "homebrew", "python.org", "system", "mise", "asdf", "conda", "reconcile", "path"
	Pip     string `json:"pip,omitempty"`     // a pip wheel that this interpreter can run ("…/ensurepip/_bundled/pip-23.0.1-py3-none-any.whl"), or "module" where pip is importable; "" for neither
	Refused string `json:"refused,omitempty"` // why it cannot be used; "" if it can
}

// Usable returns the preferred interpreter, or false if there is none.
func (p Pythons) Usable() (Interpreter, bool) {
	for _, i := range p.Found {
		if i.Refused == "" {
			return i, true
		}
	}
	return Interpreter{}, false
}

// Tool is a helper program.
type Tool struct {
	Name    string `json:"-"`
	Path    string `json:"path,omitempty"` // absolute; "" if there is none
	Version string `json:"version,omitempty"`
	Source  string `json:"source,omitempty"`  // "path", "reconcile"
	Refused string `json:"refused,omitempty"` // why the one that was found is not used
	// SHA256 is what the program below .reconcile/tools should be, as the file
	// "complete" beside it says. Whether it is that is checked when it is run.
	SHA256 SHA256 `json:"sha256,omitzero"`
}

// Environment is a Python environment of the manifest as it stands: what is
// visible, and the generations behind it.
type Environment struct {
	Name string `json:"-"`
	Path string `json:"path"` // the visible place, ".venv"
	// Foreign says what stands at Path when it is not ours: "a directory that
	// reconcile did not make". Such a place is never touched.
	Foreign string `json:"foreign,omitempty"`
	// Current is the name of the generation that is visible, "" if none is.
	Current string `json:"current,omitempty"`
	// Entry says what of the visible place is missing or wrong, "" if nothing.
	Entry string `json:"entry,omitempty"`
	// Leaks are distributions that this user installed for himself in the same line
	// of Python ("numpy 2.2.6"), and LeakDir is where: an environment of conda imports
	// them before its own, unless PYTHONNOUSERSITE is set, as every way in of ours does.
	// LeakDir without Leaks could not be listed.
	Leaks       []string     `json:"leaks,omitempty"`
	LeakDir     string       `json:"leak_dir,omitempty"`
	Generations []Generation `json:"generations,omitempty"` // by name; without the unsealed ones
	Unsealed    []string     `json:"unsealed,omitempty"`    // left by a build that did not end, by name
}

// Generation is one built environment.
type Generation struct {
	Name     string    `json:"name"`               // folder below envs/<environment>: Digest[:12], or that with "-2", "-3" … after damage
	Digest   string    `json:"digest"`             // of all that decides its content; see venv.Spec
	Python   string    `json:"python"`             // "3.10.13"
	Base     string    `json:"base,omitempty"`     // the interpreter it was made from
	Created  string    `json:"created,omitempty"`  // RFC 3339, for people; decides nothing
	Packages []Package `json:"packages,omitempty"` // by normalised name
	// Conda are the packages of conda, by name; none in an environment of type venv.
	Conda []CondaPackage `json:"conda,omitempty"`
	// Damage lists what is no longer as it was sealed: missing and foreign
	// files, a dangling interpreter. A quick look sees it in the current
	// generation; another is looked at before it becomes visible again.
	Damage []Damage `json:"damage,omitempty"`
}

// Package is one installed distribution.
type Package struct {
	Name    string `json:"name"` // normalised
	Version string `json:"version"`
	Origin  string `json:"origin,omitempty"` // "" for an index; else "editable", "vcs", "local", "url"
	// Entry identifies the lock entry it was installed from (name, version and
	// hashes), "" where none is known. Equal entries are equal bytes.
	Entry string `json:"entry,omitempty"`
}

// CondaPackage is one package of conda, as conda-meta and locks name it.
type CondaPackage struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Build   string `json:"build"`             // "h0_0_cpython"
	Channel string `json:"channel,omitempty"` // as the manifest names it
	Subdir  string `json:"subdir,omitempty"`  // "linux-64", "noarch"
	SHA256  SHA256 `json:"sha256,omitzero"`   // of the archive
}

// Damage is one thing that is not as it was when the generation was sealed.
type Damage struct {
	What  string `json:"what"`            // "missing", "foreign", "changed", "doubled", "interpreter", "package", "moved", "seal"; package pyenv says what each means
	Path  string `json:"path,omitempty"`  // relative to the generation
	Dist  string `json:"dist,omitempty"`  // normalised name of the distribution it belongs to
	Conda string `json:"conda,omitempty"` // name of the package of conda it belongs to
	// Version is what a "package" has now, Sealed what it had; "" if that is not known.
	Version string `json:"version,omitempty"`
	Sealed  string `json:"sealed,omitempty"`
}

// CurrentGeneration returns the visible generation, or false if there is none.
func (e Environment) CurrentGeneration() (Generation, bool) {
	for _, g := range e.Generations {
		if g.Name == e.Current && e.Current != "" {
			return g, true
		}
	}
	return Generation{}, false
}

func (Project) Key() Key       { return ProjectKey }
func (Host) Key() Key          { return HostKey }
func (GPU) Key() Key           { return GPUKey }
func (Index) Key() Key         { return IndexKey }
func (p Path) Key() Key        { return PathKey(p.Path) }
func (f Folder) Key() Key      { return FolderKey(f.Path) }
func (t Tree) Key() Key        { return TreeKey(t.Path) }
func (d Disk) Key() Key        { return DiskKey(d.Path) }
func (p Pythons) Key() Key     { return PythonKey(p.Minor) }
func (t Tool) Key() Key        { return ToolKey(t.Name) }
func (e Environment) Key() Key { return EnvironmentKey(e.Name) }
