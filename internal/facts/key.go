// Package facts holds the state of one machine as plain data.
//
// A Key identifies something that can be probed, and a Fact is the result. The
// absence of a file or program is a fact; a failed probe has a reason instead.
// `reconcile facts` prints Facts, and `plan --facts FILE` plans for the machine
// on which they were recorded. Facts hold no secrets.
package facts

import (
	"cmp"
	"fmt"
	"strings"
)

// A Kind is the type of a fact.
type Kind string

// The kinds up to KindIndex have one unnamed fact each.
const (
	KindProject     Kind = "project"     // the checkout and its state directory
	KindHost        Kind = "host"        // operating system, architecture, libc
	KindGPU         Kind = "gpu"         // whether there is a GPU
	KindNvidia      Kind = "nvidia"      // the NVIDIA driver and its GPUs
	KindToolkit     Kind = "toolkit"     // the CUDA toolkit
	KindIndex       Kind = "index"       // the package index of this machine
	KindPath        Kind = "path"        // a file, directory or link; named by its path
	KindFolder      Kind = "folder"      // the entries of a directory; named by its path
	KindTree        Kind = "tree"        // the size and users of a directory tree; named by its path
	KindDisk        Kind = "disk"        // the file system of a path; named by the path
	KindPython      Kind = "python"      // the interpreters of one Python minor version; named "3.10"
	KindTool        Kind = "tool"        // a helper program; named "uv"
	KindEnvironment Kind = "environment" // a Python environment and its generations; named as in the manifest
	KindModel       Kind = "model"       // a model in the project's Hugging Face cache; named by its repository
	KindCheck       Kind = "check"       // not a fact: owned by a requirement that manages nothing
)

// A Key identifies one fact of a machine.
//
// Paths in names are clean and slash-separated, relative to the project root for
// paths inside it and absolute otherwise.
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

// The keys of the kinds that have one fact.
var (
	ProjectKey = Key{Kind: KindProject}
	HostKey    = Key{Kind: KindHost}
	GPUKey     = Key{Kind: KindGPU}
	NvidiaKey  = Key{Kind: KindNvidia}
	ToolkitKey = Key{Kind: KindToolkit}
	IndexKey   = Key{Kind: KindIndex}
)

// PathKey returns the key of a file, directory or link.
func PathKey(path string) Key { return Key{KindPath, path} }

// FolderKey returns the key of the entries of a directory.
func FolderKey(path string) Key { return Key{KindFolder, path} }

// TreeKey returns the key of the size and users of a directory tree.
func TreeKey(path string) Key { return Key{KindTree, path} }

// DiskKey returns the key of the file system that holds or will hold path.
func DiskKey(path string) Key { return Key{KindDisk, path} }

// PythonKey returns the key of the interpreters of a minor version such as "3.10".
func PythonKey(minor string) Key { return Key{KindPython, minor} }

// ToolKey returns the key of a helper program.
func ToolKey(name string) Key { return Key{KindTool, name} }

// CheckKey returns a key for a requirement that manages nothing. It is never probed.
func CheckKey(name string) Key { return Key{KindCheck, name} }

// EnvironmentKey returns the key of a Python environment of the manifest.
func EnvironmentKey(name string) Key { return Key{KindEnvironment, name} }

// ModelKey returns the key of a model repository such as "mistralai/Mistral-7B-v0.3".
func ModelKey(repo string) Key { return Key{KindModel, repo} }
