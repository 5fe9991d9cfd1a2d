package resources

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Step is one effect, as data. The set is closed; only apply carries steps
// out, so atomicity, time limits, locks and redaction are solved once, there.
//
// Paths in steps are spelled as in fact keys: relative to the project root for
// what is inside it, absolute for the rest. Only the words of a Run are spelled
// as its program needs them.
type Step interface{ step() }

// MakeDir makes a directory and its missing parents. One that is there stays as
// it is.
type MakeDir struct {
	Path string     `json:"path"`
	Mode facts.Mode `json:"mode"`
}

// WriteFile puts a file in place in one rename, making missing parents. What
// stood there must still have the digest Replaces (zero: nothing stood there);
// its old content is kept below .reconcile.
type WriteFile struct {
	Path     string       `json:"path"`
	Mode     facts.Mode   `json:"mode"`
	Content  string       `json:"content"`
	Replaces facts.SHA256 `json:"replaces,omitzero"`
}

// SetMode changes the permission bits of a file or directory.
type SetMode struct {
	Path string     `json:"path"`
	Mode facts.Mode `json:"mode"`
}

// Link makes a symbolic link, or points an existing link elsewhere, in one
// rename. Anything but a link at Path is an error.
type Link struct {
	Path   string `json:"path"`
	Target string `json:"target"` // as it will be written
}

// Remove moves a file or tree into the trash of this machine on the same file
// system, and deletes it there without hurry. Nothing there is nothing to do.
//
// Type says what must stand there, looked at again in the moment of the removal: a
// file with the content SHA256, which is kept below .reconcile; a link to Target; a
// directory, which must be empty. With "" it is a tree of ours below .reconcile,
// whatever it holds.
type Remove struct {
	Path   string         `json:"path"`
	Type   facts.PathType `json:"type,omitempty"`
	SHA256 facts.SHA256   `json:"sha256,omitzero"`
	Target string         `json:"target,omitempty"`
}

// Move renames a file, directory or link on its file system, making missing
// parents. What stands at From must be of a type; anything at To is an error, and
// so is another file system there: nothing is ever copied.
type Move struct {
	From string         `json:"from"`
	To   string         `json:"to"`
	Type facts.PathType `json:"type"`
}

// Fetch gets an archive or file from the first source that delivers it, checks
// size and digest while it arrives, and puts it in place in one rename. An
// archive is unpacked beside the target first; entries that lead out of it are
// an error.
type Fetch struct {
	URLs   []string     `json:"urls"` // https, http for loopback, or file
	SHA256 facts.SHA256 `json:"sha256"`
	Size   int64        `json:"size,omitempty"`   // bytes; 0 if not known
	Path   string       `json:"path"`             // file, or the directory that the archive becomes
	Unpack string       `json:"unpack,omitempty"` // "" or "tar.gz"
	Strip  int          `json:"strip,omitempty"`  // leading directories to drop while unpacking
	Hint   string       `json:"hint,omitempty"`   // what a person can do where no source can be reached
}

// Run starts a program in a built environment and waits for it. Nothing of a
// manifest ever reaches a shell: Args are words.
type Run struct {
	Program string `json:"program"` // absolute
	// SHA256 is what Program must be; it is checked just before the start. Zero
	// for a program of the machine, which nobody pinned.
	SHA256 facts.SHA256 `json:"sha256,omitzero"`
	Args   []string     `json:"args,omitempty"`
	// Offline are words that do the same without the network, from a cache. They
	// are tried before Args where there are any; that they fail is no failure.
	Offline []string `json:"offline,omitempty"`
	Env     []string `json:"env,omitempty"` // KEY=value, beside the few that every child gets
	Dir     string   `json:"dir,omitempty"` // "" for the project root
	// Index hands the program this machine's package index, CA, wheel folders
	// and proxy (for pip and uv, by variables), which never appear in a plan.
	Index bool `json:"index,omitempty"`
	// Channels hands it, beside that, where channels of conda lie.
	Channels bool          `json:"channels,omitempty"`
	Timeout  time.Duration `json:"timeout,omitempty"` // 0 for the default of an hour
	// Writes is the tree that the program makes or fills; it is new, so that
	// what a killed program leaves there is nobody's loss.
	Writes string `json:"writes,omitempty"`
}

// Reuse brings distributions from a sealed generation into one that is being
// built, files and bytecode, by clone, hard link or copy. A file that does not
// have the size its RECORD states is an error.
type Reuse struct {
	From  string   `json:"from"`  // generation directory
	To    string   `json:"to"`    // generation directory
	Dists []string `json:"dists"` // normalised names
}

// Compile writes the bytecode that a generation lacks, so that starting a
// program in it later changes nothing.
type Compile struct {
	Generation string `json:"generation"`
}

// SmokeTest imports modules in a generation, isolated and without writing, and
// fails with the first error of each that does not import. What it is to show of
// a GPU it shows with little memory and for seconds; on a GPU that is busy or full
// the answer is "not known", which is no failure and disturbs no job.
type SmokeTest struct {
	Generation string   `json:"generation"`
	Imports    []string `json:"imports"`
	// GPU says that the driver of this machine answers and shows a GPU. Without one
	// the parts that need it are skipped, each by its name.
	GPU  bool `json:"gpu,omitempty"`
	CUDA bool `json:"cuda,omitempty"` // torch.cuda.is_available(), torch's CUDA against that of the driver, a matrix product
	// Driver is the newest CUDA of the driver, to compare torch's with; "" if not known.
	Driver  string        `json:"driver,omitempty"`
	QLoRA   *QLoRA        `json:"qlora,omitempty"`   // one forward pass of a 4-bit layer
	Timeout time.Duration `json:"timeout,omitempty"` // 0 for ten minutes
}

// QLoRA is a quantisation as bitsandbytes and transformers name it.
type QLoRA struct {
	QuantType    string `json:"quant_type"`    // "nf4", "fp4"
	DoubleQuant  bool   `json:"double_quant"`  // the constants of the blocks are quantised too
	ComputeDtype string `json:"compute_dtype"` // "bfloat16", "float16", "float32"
}

// Seal checks a generation that was just built and makes it selectable: the
// installed set equals Packages, every file has the size and digest of its
// RECORD, launchers are written, directories are stamped, all of it is synced,
// and last the seal is written.
type Seal struct {
	Generation string          `json:"generation"`
	Digest     string          `json:"digest"`
	Python     string          `json:"python"`
	Base       string          `json:"base"`
	Packages   []facts.Package `json:"packages"`
	// Conda are the packages that conda-meta must name, no more and no others.
	Conda []facts.CondaPackage `json:"conda,omitempty"`
	// Variables are what the launchers and the scripts to source set.
	Variables []Variable `json:"variables,omitempty"`
}

// Switch makes a sealed generation the visible one by renaming one link.
type Switch struct {
	Environment string `json:"environment"`
	Link        string `json:"link"`   // ".venv/generation"
	Target      string `json:"target"` // generation directory
}

func (MakeDir) step()   {}
func (WriteFile) step() {}
func (SetMode) step()   {}
func (Link) step()      {}
func (Remove) step()    {}
func (Move) step()      {}
func (Fetch) step()     {}
func (Run) step()       {}
func (Reuse) step()     {}
func (Compile) step()   {}
func (SmokeTest) step() {}
func (Seal) step()      {}
func (Switch) step()    {}

// StepName returns the word for a step in plans, journals and failpoints:
// "make_dir", "write_file", "run" …
func StepName(s Step) string {
	switch s.(type) {
	case MakeDir:
		return "make_dir"
	case WriteFile:
		return "write_file"
	case SetMode:
		return "set_mode"
	case Link:
		return "link"
	case Remove:
		return "remove"
	case Move:
		return "move"
	case Fetch:
		return "fetch"
	case Run:
		return "run"
	case Reuse:
		return "reuse"
	case Compile:
		return "compile"
	case SmokeTest:
		return "prove"
	case Seal:
		return "seal"
	case Switch:
		return "switch"
	}
	panic(fmt.Sprintf("step %T has no name", s))
}

// StepNames lists the words of every step there is.
func StepNames() []string {
	return []string{"make_dir", "write_file", "set_mode", "link", "remove", "move", "fetch", "run", "reuse", "compile", "prove", "seal", "switch"}
}

// MarshalSteps writes steps as a list of objects with one member each, the word
// of the step.
func MarshalSteps(steps []Step) ([]byte, error) {
	list := make([]map[string]Step, len(steps))
	for i, s := range steps {
		list[i] = map[string]Step{StepName(s): s}
	}
	return json.Marshal(list)
}

// UnmarshalSteps reads what MarshalSteps wrote; an unknown word is an error.
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
			s, err := unmarshalStep(name, body)
			if err != nil {
				return nil, fmt.Errorf("step %d: %w", i, err)
			}
			steps = append(steps, s)
		}
	}
	return steps, nil
}

func unmarshalStep(name string, body []byte) (Step, error) {
	switch name {
	case "make_dir":
		return decodeStep[MakeDir](body)
	case "write_file":
		return decodeStep[WriteFile](body)
	case "set_mode":
		return decodeStep[SetMode](body)
	case "link":
		return decodeStep[Link](body)
	case "remove":
		return decodeStep[Remove](body)
	case "move":
		return decodeStep[Move](body)
	case "fetch":
		return decodeStep[Fetch](body)
	case "run":
		return decodeStep[Run](body)
	case "reuse":
		return decodeStep[Reuse](body)
	case "compile":
		return decodeStep[Compile](body)
	case "prove":
		return decodeStep[SmokeTest](body)
	case "seal":
		return decodeStep[Seal](body)
	case "switch":
		return decodeStep[Switch](body)
	}
	return nil, fmt.Errorf("unknown step %q", name)
}

func decodeStep[S Step](body []byte) (Step, error) {
	var s S
	err := json.Unmarshal(body, &s)
	return s, err
}
