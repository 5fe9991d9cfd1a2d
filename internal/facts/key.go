// Package facts holds one machine as data: what was looked at, what was found,
// and what could not be seen.
//
// A Key names one thing, a Fact is what is known of it. Absent is a fact (the
// value says so); unknown is not, and is kept apart as a reason. Facts travel:
// `reconcile facts` prints them, `plan --facts FILE` plans for the machine they
// were recorded on. They hold no secrets.
package facts

import (
	"cmp"
	"fmt"
	"strings"
)

// A Kind is the sort of a fact. The closed set is below.
type Kind string

const (
	KindProject     Kind = "project"     // the checkout and the place of its state; one, unnamed
	KindHost        Kind = "host"        // operating system, architecture, libc; one, unnamed
	KindGPU         Kind = "gpu"         // whether there is a GPU at all; one, unnamed
	KindNvidia      Kind = "nvidia"      // what the NVIDIA driver says, and its GPUs; one, unnamed
	KindToolkit     Kind = "toolkit"     // the CUDA toolkit; one, unnamed
	KindIndex       Kind = "index"       // where this machine gets packages from; one, unnamed
	KindPath        Kind = "path"        // a file, directory or link; named by its path
	KindFolder      Kind = "folder"      // what lies directly in a directory; named by its path
	KindTree        Kind = "tree"        // how much lies in a directory, and who uses it; named by its path
	KindDisk        Kind = "disk"        // the file system below a path; named by the path
	KindPython      Kind = "python"      // the interpreters of one line; named "3.10"
	KindTool        Kind = "tool"        // a helper program; named "uv"
	KindEnvironment Kind = "environment" // a Python environment with its generations; named as in the manifest
	KindModel       Kind = "model"       // a model in the project's Hugging Face cache; named by its repository
	KindCheck       Kind = "check"       // no fact: what a requirement is known by that manages nothing
)

// A Key names one thing that can be known of a machine.
//
// Paths in names are slash-separated: relative to the project root for what is
// inside it, absolute for the rest, always cleaned.
type Key struct {
	Kind Kind
	Name string
}

// String returns kind:name.
func (k Key) String() string { return string(k.Kind) + ":" + k.Name }

// Compare orders keys by kind, then name.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Kind, o.Kind), cmp.Compare(k.Name, o.Name))
}

// MarshalText writes kind:name.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads kind:name.
func (k *Key) UnmarshalText(b []byte) error {
	kind, name, ok := strings.Cut(string(b), ":")
	if !ok {
		return fmt.Errorf("fact key %q has no colon", b)
	}
	*k = Key{Kind(kind), name}
	return nil
}

// The keys of the facts that exist once, and constructors for the rest.
var (
	ProjectKey = Key{Kind: KindProject}
	HostKey    = Key{Kind: KindHost}
	GPUKey     = Key{Kind: KindGPU}
	NvidiaKey  = Key{Kind: KindNvidia}
	ToolkitKey = Key{Kind: KindToolkit}
	IndexKey   = Key{Kind: KindIndex}
)

// PathKey names a file, directory or link.
func PathKey(path string) Key { return Key{KindPath, path} }

// FolderKey names what lies directly in a directory.
func FolderKey(path string) Key { return Key{KindFolder, path} }

// TreeKey names how much lies in a directory, and who uses it.
func TreeKey(path string) Key { return Key{KindTree, path} }

// DiskKey names the file system that holds path, or will.
func DiskKey(path string) Key { return Key{KindDisk, path} }

// PythonKey names the interpreters of one line, such as "3.10".
func PythonKey(line string) Key { return Key{KindPython, line} }

// ToolKey names a helper program.
func ToolKey(name string) Key { return Key{KindTool, name} }

// CheckKey names a requirement that manages nothing and is no single fact, so that
// it has something to own. No probe looks at it.
func CheckKey(name string) Key { return Key{KindCheck, name} }

// EnvironmentKey names a Python environment of the manifest.
func EnvironmentKey(name string) Key { return Key{KindEnvironment, name} }

// ModelKey names a model by its repository, such as "mistralai/Mistral-7B-v0.3".
func ModelKey(repo string) Key { return Key{KindModel, repo} }
