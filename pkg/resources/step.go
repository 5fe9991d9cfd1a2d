package resources

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Step is one effect, as data. The set is closed. Only apply executes steps, so
// atomicity, time limits, locks and redaction are implemented once, there.
//
// Paths in steps are spelled as in fact keys: relative to the project root if they are
// inside it, else absolute. Only the arguments of a Run are spelled as its program needs
// them.
type Step interface{ stepName() string }

// MakeDir creates a directory and its missing parents. An existing one is left unchanged.
type MakeDir struct {
	Path string     `json:"path"`
	Mode facts.Mode `json:"mode"`
}

// WriteFile writes a file with one rename, creating missing parents. The existing file
// must have the digest Replaces (zero: none may exist). Its content is kept in
// the store. A file in the store itself is replaced whatever its content.
type WriteFile struct {
	Path     string       `json:"path"`
	Mode     facts.Mode   `json:"mode"`
	Content  string       `json:"content"`
	Replaces facts.SHA256 `json:"replaces,omitzero"`
	// Internal marks a file in the store, whose content no report prints.
	Internal bool `json:"internal,omitempty"`
}

// SetMode changes the permission bits of a file or directory.
type SetMode struct {
	Path string     `json:"path"`
	Mode facts.Mode `json:"mode"`
}

// Link creates or replaces a symbolic link with one rename. It fails if Path exists and is
// not a link.
type Link struct {
	Path   string `json:"path"`
	Target string `json:"target"` // as it is written
}

// Remove removes a file, a link, an empty directory, or a tree of the store. It does nothing
// if Path does not exist.
//
// Type is the expected type, checked again at the time of the removal: a file with the
// content SHA256, which is kept in the store unless reconcile generated it; a link to Target; an empty directory. With ""
// it is a tree in the store, whatever its content: it is moved into the trash and deleted
// there.
type Remove struct {
	Path      string         `json:"path"`
	Type      facts.PathType `json:"type,omitempty"`
	SHA256    facts.SHA256   `json:"sha256,omitzero"`
	Target    string         `json:"target,omitempty"`
	Generated bool           `json:"generated,omitempty"` // a file that reconcile can write again
}

// Move renames a file, directory or link on its file system, creating missing parents. It
// fails if From is not of Type, if To exists, or if To is on another file system: it never
// copies.
type Move struct {
	From string         `json:"from"`
	To   string         `json:"to"`
	Type facts.PathType `json:"type"`
}

// Fetch downloads an archive or file from the first source that serves it, checks size and
// digest, and renames it to Path. An archive is unpacked beside Path first, with a list of its
// files by which changes are found; an entry that leads out of it is an error.
type Fetch struct {
	URLs   []string     `json:"urls"` // https, http for loopback, or file
	SHA256 facts.SHA256 `json:"sha256"`
	Size   int64        `json:"size,omitempty"`   // bytes; 0 if unknown
	Path   string       `json:"path"`             // file, or the directory that the archive becomes
	Unpack string       `json:"unpack,omitempty"` // "" or "tar.gz"
	Strip  int          `json:"strip,omitempty"`  // leading directories to drop while unpacking
	Hint   string       `json:"hint,omitempty"`   // for the error if no source is reachable
}

// Run runs a program and waits for it. It never uses a shell, so that no text of a manifest
// is interpreted by one.
type Run struct {
	Program string `json:"program"` // absolute
	// SHA256 is the digest of Program, checked just before the start. It is zero for a
	// program of the machine that nothing pins.
	SHA256 facts.SHA256 `json:"sha256,omitzero"`
	Args   []string     `json:"args,omitempty"`
	Env    []string     `json:"env,omitempty"` // KEY=value, added to the few variables of every child
	Dir    string       `json:"dir,omitempty"` // "" for the project root
	// Index passes this machine's package index, CA, wheel folders and proxy to the program
	// (by variables). They never appear in a plan.
	Index bool `json:"index,omitempty"`
	// Channels also passes the locations of conda channels.
	Channels bool          `json:"channels,omitempty"`
	Timeout  time.Duration `json:"timeout,omitempty"` // 0 for an hour
	// Writes is the new tree that the program creates or fills. Nothing is lost with it if
	// the program is killed.
	Writes string `json:"writes,omitempty"`
}

// Build builds a wheel from source into the store, unless the store has the result. It runs
// code of the source, in a sandbox.
type Build struct {
	Name    string `json:"name"` // of the project, normalised
	Version string `json:"version"`
	// Key is the digest of all inputs of the build. It names the result in the store.
	Key    facts.SHA256 `json:"key"`
	Source BuildSource  `json:"source"`
	Index  string       `json:"index,omitempty"` // name of the index of an archive, "" for the default ones
	// Generation is the environment for which the wheel is built, by its interpreter.
	Generation string  `json:"generation"`
	Python     string  `json:"python"`             // minor version: "3.10"
	Requires   []Wheel `json:"requires,omitempty"` // requirements of the build, which are fetched
	With       []Wheel `json:"with,omitempty"`     // unpacked packages that the build imports
}

// A BuildSource is the input of a build: an archive, a commit or a directory of the project.
type BuildSource struct {
	// File is the name of an archive, with its size in bytes (0 if unknown) and digest. URL
	// locates an archive that is not in an index.
	File   string       `json:"file,omitempty"`
	Size   int64        `json:"size,omitempty"`
	SHA256 facts.SHA256 `json:"sha256,omitzero"`
	URL    string       `json:"url,omitempty"`
	// Git is the URL of a repository, Commit the full commit.
	Git    string `json:"git,omitempty"`
	Commit string `json:"commit,omitempty"`
	// Subdirectory is that of the package in the archive or repository, "" for the root.
	Subdirectory string `json:"subdirectory,omitempty"`
	// Directory is installed editable. It is relative to the project root: ".", "libs/x".
	Directory string `json:"directory,omitempty"`
}

// String describes the source: "langdetect-1.0.9.tar.gz", "https://HOST/x.git at 0123456789ab",
// "libs/x (editable)".
func (s BuildSource) String() string {
	switch {
	case s.Git != "":
		return s.Git + " at " + s.Commit[:min(len(s.Commit), 12)]
	case s.Directory == ".":
		return "this project (editable)"
	case s.Directory != "":
		return s.Directory + " (editable)"
	case s.URL != "":
		return s.URL
	}
	return s.File
}

// Unpack unpacks wheels into the store. Those that the store lacks, or that changed there,
// are fetched from this machine's package index.
type Unpack struct {
	Wheels []Wheel `json:"wheels"`
}

// A Wheel is a locked wheel: what the index calls it, and what it must contain.
type Wheel struct {
	Name    string `json:"name"` // of the project, normalised
	Version string `json:"version"`
	File    string `json:"file,omitempty"` // file name; "" for the result of a Build
	Size    int64  `json:"size,omitempty"` // bytes; 0 if unknown
	// SHA256 is that of the file, or the key of a Build, whose result has no other name.
	SHA256 facts.SHA256 `json:"sha256"`
	Index  string       `json:"index,omitempty"` // name of the index that has it, "" for the default ones
	// URL locates a wheel that is not in an index: an https URL, or a path in the project that
	// begins with "./".
	URL string `json:"url,omitempty"`
}

// FetchWheel fetches a wheel from this machine's package index to a file of the store, which it
// replaces.
type FetchWheel struct {
	Wheel Wheel  `json:"wheel"`
	Path  string `json:"path"`
}

// Assemble puts unpacked wheels into a new generation: clones or hard links of their files,
// else copies, and the scripts that contain its path.
type Assemble struct {
	Generation string  `json:"generation"`
	Python     string  `json:"python"` // minor version: "3.10"
	Wheels     []Wheel `json:"wheels"`
}

// Compile writes the missing bytecode of a generation, so that running a program does not
// change it.
type Compile struct {
	Generation string `json:"generation"`
}

// SmokeTest imports modules in a generation, isolated and without writing, and fails with
// the first error of each. Its GPU tests take little memory and seconds. On a GPU that is
// busy or full their result is unknown, which is not a failure.
type SmokeTest struct {
	Generation string   `json:"generation"`
	Imports    []string `json:"imports"`
	// GPU reports that the driver of this machine answers and has a GPU. Without one the
	// tests that need it are skipped, each by its name.
	GPU  bool `json:"gpu,omitempty"`
	CUDA bool `json:"cuda,omitempty"` // torch.cuda.is_available(), the CUDA of torch against that of the driver, a matrix product
	// Driver is the newest CUDA of the driver, to compare with that of torch; "" if unknown.
	Driver  string        `json:"driver,omitempty"`
	QLoRA   *QLoRA        `json:"qlora,omitempty"`   // one forward pass of a 4-bit layer
	MPS     bool          `json:"mps,omitempty"`     // torch.backends.mps.is_available(), a matrix product; skipped unless Apple
	Apple   bool          `json:"apple,omitempty"`   // this machine is a Mac with Apple silicon
	Timeout time.Duration `json:"timeout,omitempty"` // 0 for ten minutes
}

// QLoRA is a quantization in the terms of bitsandbytes and transformers.
type QLoRA struct {
	QuantType    string `json:"quant_type"`    // "nf4", "fp4"
	DoubleQuant  bool   `json:"double_quant"`  // the constants of the blocks are quantized too
	ComputeDtype string `json:"compute_dtype"` // "bfloat16", "float16", "float32"
}

// Seal verifies a new generation and completes it: the installed set equals Packages and
// Conda, every file has the size and digest of its RECORD, launchers are written,
// directories are stamped, everything is synced, and the seal is written last.
type Seal struct {
	Generation string          `json:"generation"`
	Digest     string          `json:"digest"`
	Python     string          `json:"python"`
	Base       string          `json:"base"`
	Packages   []facts.Package `json:"packages"`
	// Conda are exactly the packages in conda-meta.
	Conda []facts.CondaPackage `json:"conda,omitempty"`
	// Variables are set by the launchers and the activation scripts.
	Variables []Variable `json:"variables,omitempty"`
}

// A Variable is an environment variable that activating a generation sets to the absolute
// path of a directory. Deactivating restores its previous value.
type Variable struct {
	Name string `json:"name"` // "HF_HUB_CACHE"
	Path string `json:"path"` // as in fact keys: "models"
}

// Switch makes a sealed generation active by renaming one link.
type Switch struct {
	Environment string `json:"environment"`
	Link        string `json:"link"`   // ".venv/generation"
	Target      string `json:"target"` // generation directory
}

func (MakeDir) stepName() string    { return "make_dir" }
func (WriteFile) stepName() string  { return "write_file" }
func (SetMode) stepName() string    { return "set_mode" }
func (Link) stepName() string       { return "link" }
func (Remove) stepName() string     { return "remove" }
func (Move) stepName() string       { return "move" }
func (Fetch) stepName() string      { return "fetch" }
func (Run) stepName() string        { return "run" }
func (Build) stepName() string      { return "build" }
func (Unpack) stepName() string     { return "unpack" }
func (FetchWheel) stepName() string { return "fetch_wheel" }
func (Assemble) stepName() string   { return "assemble" }
func (Compile) stepName() string    { return "compile" }
func (SmokeTest) stepName() string  { return "prove" }
func (Seal) stepName() string       { return "seal" }
func (Switch) stepName() string     { return "switch" }

// StepName returns the name of a step in plans, journals and failpoints: "make_dir",
// "write_file", "run" …
func StepName(s Step) string { return s.stepName() }

// StepNames returns the names of all steps.
func StepNames() []string {
	names := make([]string, len(stepKinds()))
	for i, k := range stepKinds() {
		names[i] = k.name
	}
	return names
}

type stepKind struct {
	name   string
	decode func([]byte) (Step, error)
}

func kindOf[S Step]() stepKind {
	var zero S
	return stepKind{zero.stepName(), func(body []byte) (Step, error) {
		var s S
		err := json.Unmarshal(body, &s)
		return s, err
	}}
}

var stepKinds = sync.OnceValue(func() []stepKind {
	return []stepKind{
		kindOf[MakeDir](), kindOf[WriteFile](), kindOf[SetMode](), kindOf[Link](), kindOf[Remove](), kindOf[Move](), kindOf[Fetch](),
		kindOf[Run](), kindOf[Build](), kindOf[Unpack](), kindOf[FetchWheel](), kindOf[Assemble](), kindOf[Compile](), kindOf[SmokeTest](), kindOf[Seal](), kindOf[Switch](),
	}
})

// MarshalSteps encodes steps as a list of objects with one member each, named as the step.
func MarshalSteps(steps []Step) ([]byte, error) {
	list := make([]map[string]Step, len(steps))
	for i, s := range steps {
		list[i] = map[string]Step{StepName(s): s}
	}
	return json.Marshal(list)
}

// UnmarshalSteps decodes the output of MarshalSteps. An unknown name is an error.
func UnmarshalSteps(b []byte) ([]Step, error) {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, err
	}
	steps := make([]Step, 0, len(list))
	for i, member := range list {
		if len(member) != 1 {
			return nil, fmt.Errorf("step %d has %d members, not one", i, len(member))
		}
		for name, body := range member {
			k := slices.IndexFunc(stepKinds(), func(k stepKind) bool { return k.name == name })
			if k < 0 {
				return nil, fmt.Errorf("step %d: unknown step %q", i, name)
			}
			s, err := stepKinds()[k].decode(body)
			if err != nil {
				return nil, fmt.Errorf("step %d: %w", i, err)
			}
			steps = append(steps, s)
		}
	}
	return steps, nil
}
