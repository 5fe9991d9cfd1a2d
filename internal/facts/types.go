package facts

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
)

// A Fact is the result of probing one key. Facts are plain values that can be copied
// and compared.
type Fact interface{ Key() Key }

// SHA256 is a digest. The zero value means unknown.
type SHA256 [32]byte

// IsZero reports whether the digest is unknown.
func (d SHA256) IsZero() bool { return d == SHA256{} }

// String returns 64 hexadecimal digits, or "" if the digest is unknown.
func (d SHA256) String() string {
	if d.IsZero() {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// MarshalText writes hexadecimal digits.
func (d SHA256) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads 64 hexadecimal digits or empty text.
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

// Mode is the permission bits of a file.
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

// Project is the checkout that is planned.
type Project struct {
	Root  string `json:"root"`  // absolute, links resolved
	Store string `json:"store"` // of the user, absolute, links resolved: "/home/a/.local/share/reconcile"
	State string `json:"state"` // directory of the project in Store, absolute: "/home/a/.local/share/reconcile/projects/train-1f2e3d4c5b6a"
}

// Host is the machine itself.
type Host struct {
	OS        string `json:"os"`       // "linux", "darwin" (GOOS)
	Arch      string `json:"arch"`     // "x86_64", "arm64" as in uname -m ("aarch64" on Linux)
	Platform  string `json:"platform"` // "linux-x86_64", "linux-aarch64", "macos-arm64", "macos-x86_64", as in locks
	Hostname  string `json:"hostname"` // without domain
	OSVersion string `json:"os_version,omitempty"`
	Libc      Libc   `json:"libc,omitzero"`
	Container string `json:"container,omitempty"` // "docker", "podman", "wsl"; "" if none was detected
	Home      string `json:"home,omitempty"`      // of this user, absolute; "" if there is none
}

// HasAppleGPU reports whether the machine is a Mac with Apple silicon, whose GPU torch uses as
// device mps.
func (h Host) HasAppleGPU() bool { return h.Platform == "macos-arm64" }

// Libc is the C library, which determines the compatible wheels.
type Libc struct {
	Name    string `json:"name,omitempty"`    // "glibc" or "musl"; "" on macOS
	Version string `json:"version,omitempty"` // "2.36"
}

// GPU is the GPUs of a machine, read from files alone. An adapter that only shows a screen, such
// as that of a server's management controller or of a virtual machine, is none.
type GPU struct {
	// Vendor is "nvidia" if there is an NVIDIA GPU, else that of the first of Others, else "none".
	Vendor string `json:"vendor"`           // "nvidia", "amd", "intel", "apple" or "none"
	Driver string `json:"driver,omitempty"` // NVIDIA's kernel driver version from /proc/driver/nvidia, if any
	Source string `json:"source,omitempty"` // what shows the GPU: a file, or a value of sysctl
	Models string `json:"models,omitempty"` // of the GPUs of Vendor, without those of a processor beside a card: "2 x NVIDIA H100 80GB HBM3"
	// Others are the GPUs of other vendors than NVIDIA by address, those that are part of the
	// processor last.
	Others []OtherGPU `json:"others,omitempty"`
	ROCm   string     `json:"rocm,omitempty"` // version of ROCm in /opt: "6.4.1"; "" for none
}

// OtherGPU is a GPU of another vendor than NVIDIA.
type OtherGPU struct {
	Vendor string `json:"vendor"`           // "amd", "intel", "apple"
	Name   string `json:"name"`             // "AMD Instinct MI300X"; with its PCI IDs if it is not known: "AMD GPU 1002:74a1"
	Bus    string `json:"bus,omitempty"`    // PCI address: "0000:c1:00.0"
	Driver string `json:"driver,omitempty"` // of the kernel, with its version if it has one: "amdgpu 6.10.5", "xe"; "" for none
	Target string `json:"target,omitempty"` // that programs for ROCm are compiled for: "gfx942"; "" if not known
	Memory int64  `json:"memory,omitempty"` // bytes; 0 if not known
	// Integrated reports that it is part of the processor and uses the memory of the machine.
	Integrated bool `json:"integrated,omitempty"`
}

// String returns everything but the address: "AMD Instinct MI300X, driver amdgpu 6.10.5, gfx942,
// 206.1 GB".
func (g OtherGPU) String() string {
	words := []string{g.Name}
	switch {
	case g.Vendor == "apple":
	case g.Driver == "":
		words = append(words, "no driver")
	default:
		words = append(words, "driver "+g.Driver)
	}
	if g.Target != "" {
		words = append(words, g.Target)
	}
	switch {
	case g.Integrated && g.Memory > 0 && g.Vendor == "apple":
		words = append(words, bytesize.Format(g.Memory)+" shared with the processor")
	case g.Integrated:
		words = append(words, "part of the processor")
	case g.Memory > 0:
		words = append(words, bytesize.Format(g.Memory))
	}
	return strings.Join(words, ", ")
}

// Index is the package index of this machine, without secrets.
type Index struct {
	URL        string            `json:"url"`                   // "public", or the mirror without user and password
	Cert       string            `json:"cert,omitempty"`        // CA bundle
	FindLinks  []string          `json:"find_links,omitempty"`  // local wheel folders
	Proxy      string            `json:"proxy,omitempty"`       // without user and password
	CondaAlias string            `json:"conda_alias,omitempty"` // base URL of conda channels, without user and password; "" for the public ones
	Named      map[string]string `json:"named,omitempty"`       // URLs of named indexes on this machine, without user and password, by name in upper case
	Sources    []string          `json:"sources,omitempty"`     // of the settings: "PIP_CERT", "pip.conf of the user"
	Ignored    []string          `json:"ignored,omitempty"`     // variables of pip and uv for further indexes, which have no effect
}

// PathType is the type of the file at a path.
type PathType string

const (
	Absent  PathType = "absent"
	Regular PathType = "file"
	Dir     PathType = "directory"
	Symlink PathType = "link"
	Other   PathType = "other" // device, socket, pipe
)

// Path is the file, directory or link at one path. A link at the end of the path is not
// followed.
type Path struct {
	Path   string   `json:"-"`
	Type   PathType `json:"type"`
	Mode   Mode     `json:"mode,omitempty"`   // permission bits; of links 0
	Size   int64    `json:"size,omitempty"`   // bytes; regular files only
	SHA256 SHA256   `json:"sha256,omitzero"`  // regular files up to 64 MiB
	Target string   `json:"target,omitempty"` // links only, as written
	// Directory is set for a link that leads to a directory, if this user or root owns both.
	Directory bool   `json:"directory,omitempty"`
	Parent    string `json:"parent,omitempty"` // the first parent that is not a directory: "file data" or "link data -> /mnt"; "" if there is none
}

// Folder lists the entries of a directory. It is empty if the path is absent or not a
// directory.
type Folder struct {
	Path    string   `json:"-"`
	Names   []string `json:"names,omitempty"` // sorted; the first 1,000
	Entries int      `json:"entries"`         // number of all entries
}

// Tree is the size of a directory tree, links not followed. It is empty if the path is
// absent.
type Tree struct {
	Path    string   `json:"-"`
	Entries int64    `json:"entries"`         // files, directories and links
	Bytes   int64    `json:"bytes"`           // that removing it would free
	Users   []string `json:"users,omitempty"` // that use a file in it: "process 71 (python)", "this shell"
}

// Disk is the file system that holds a path, or will hold it once it exists.
type Disk struct {
	Path       string `json:"-"`
	Device     string `json:"device"`                // identifies the file system on this machine
	FileSystem string `json:"file_system"`           // "ext4", "apfs", "tmpfs", "nfs4", "fuse.sshfs"
	MountPoint string `json:"mount_point,omitempty"` // absolute; "" if unknown
	Network    bool   `json:"network,omitempty"`     // other machines may write to it: NFS, SMB, Lustre, sshfs and the like
	Total      int64  `json:"total"`                 // bytes
	Free       int64  `json:"free"`                  // bytes available to this user: f_bavail, or less with a quota
	Quota      int64  `json:"quota,omitempty"`       // limit of the quota of this user in bytes; 0 for none or unknown
	FreeInodes int64  `json:"free_inodes"`           // -1 if the file system has no limit
	ReadOnly   bool   `json:"read_only,omitempty"`
	NoExec     bool   `json:"no_exec,omitempty"` // no program can be started from it
	Writable   bool   `json:"writable"`          // whether this user may write to the nearest existing parent
}

// Pythons are the interpreters of one Python minor version on this machine.
type Pythons struct {
	Minor    string        `json:"-"`               // "3.10"
	Found    []Interpreter `json:"found,omitempty"` // usable ones first, in order of preference
	Searched []string      `json:"searched,omitempty"`
}

// Interpreter is one Python interpreter, read from files alone.
type Interpreter struct {
	Path    string `json:"path"`              // absolute, bin/python3.10
	Prefix  string `json:"prefix"`            // absolute, links resolved
	Version string `json:"version"`           // "3.10.13"
	Arch    string `json:"arch"`              // from the executable's header, spelled as in Host.Arch
	Source  string `json:"source"`            // "pyenv", "uv", "homebrew", "python.org", "system", "mise", "asdf", "conda", "reconcile", "path"
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
	Refused string `json:"refused,omitempty"` // why the program that was found is not used
	// SHA256 is the digest that a program in the store must have. It is compared when the program
	// is started.
	SHA256 SHA256 `json:"sha256,omitzero"`
}

// Environment is a Python environment of the manifest and its generations.
type Environment struct {
	Name string `json:"-"`
	Path string `json:"path"` // of the environment directory: ".venv"
	// Foreign describes the existing file at Path if it does not belong to reconcile: "a
	// directory that reconcile did not create". It is never changed.
	Foreign string `json:"foreign,omitempty"`
	// Current is the name of the active generation, "" if there is none.
	Current string `json:"current,omitempty"`
	// Entry tells which parts of the environment directory are missing or wrong.
	Entry string `json:"entry,omitempty"`
	// Leaks are the distributions in LeakDir, the user site-packages of the same Python
	// minor version ("numpy 2.2.6"). A conda environment imports them before its own
	// unless PYTHONNOUSERSITE is set, as reconcile's activation scripts and launchers do.
	// LeakDir without Leaks could not be listed.
	Leaks       []string     `json:"leaks,omitempty"`
	LeakDir     string       `json:"leak_dir,omitempty"`
	References  []Reference  `json:"references,omitempty"`  // files outside the store that start a generation
	Generations []Generation `json:"generations,omitempty"` // by name, without the unsealed ones
	Unsealed    []string     `json:"unsealed,omitempty"`    // left by interrupted builds, by name
	Stored      []SHA256     `json:"stored,omitempty"`      // locked wheels that are unpacked in the store
}

// Reference is a file that starts the Python of one generation by its own path, also after
// another one became active.
type Reference struct {
	Kind       string `json:"kind"`       // "kernel" of Jupyter, "pre-commit" for a hook that it wrote, "hook" of git, "venv"
	Path       string `json:"path"`       // absolute; for "venv" that of the environment
	Generation string `json:"generation"` // its name; it may have been removed
}

// Generation is one built environment.
type Generation struct {
	Name     string    `json:"name"`               // folder below envs/<environment>: Digest[:12], or that with "-2", "-3" … after damage
	Digest   string    `json:"digest"`             // of all inputs that determine its content; see venv.Spec
	Python   string    `json:"python"`             // "3.10.13"
	Base     string    `json:"base,omitempty"`     // the interpreter it was created from
	Created  string    `json:"created,omitempty"`  // RFC 3339; informational
	Packages []Package `json:"packages,omitempty"` // by normalised name
	// Conda are the conda packages, by name; none in an environment of type venv.
	Conda []CondaPackage `json:"conda,omitempty"`
	// Damage lists the differences from the sealed state, such as missing and foreign
	// files. Only the active generation is checked; another one is verified before it
	// becomes active again.
	Damage []Damage `json:"damage,omitempty"`
}

// Package is one installed distribution.
type Package struct {
	Name    string `json:"name"` // normalised
	Version string `json:"version"`
	Origin  string `json:"origin,omitempty"` // "" for an index; else "editable", "vcs", "local", "url", "source"
	// Entry identifies the lock entry it was installed from (name, version and
	// hashes), "" if not known. Equal entries have equal content.
	Entry string `json:"entry,omitempty"`
	// Wheel is the SHA-256 of the wheel that it was installed from, which is unpacked in the
	// store. It is zero for other installations, and in a plan.
	Wheel SHA256 `json:"wheel,omitzero"`
	// Build names the result of a build from source in the store. It is zero for a wheel that was
	// fetched.
	Build SHA256 `json:"build,omitzero"`
}

// CondaPackage is one conda package, as in conda-meta and locks.
type CondaPackage struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Build   string `json:"build"`             // "h0_0_cpython"
	Channel string `json:"channel,omitempty"` // as in the manifest
	Subdir  string `json:"subdir,omitempty"`  // "linux-64", "noarch"
	SHA256  SHA256 `json:"sha256,omitzero"`   // of the archive
}

// Damage is one difference between a generation and its seal.
type Damage struct {
	What  string `json:"what"`            // "missing", "foreign", "changed", "doubled", "interpreter", "package", "moved", "seal"; see package pyenv
	Path  string `json:"path,omitempty"`  // relative to the generation
	Dist  string `json:"dist,omitempty"`  // normalised name of the distribution it belongs to
	Conda string `json:"conda,omitempty"` // name of the conda package it belongs to
	// Version is the present version of a "package", Sealed the sealed one; "" if not known.
	Version string `json:"version,omitempty"`
	Sealed  string `json:"sealed,omitempty"`
}

// CurrentGeneration returns the active generation, or false if there is none.
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
