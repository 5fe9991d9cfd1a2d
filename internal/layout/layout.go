// Package layout defines the paths of reconcile: those in a project that expose
// environments, and those in the store of a user (package store).
//
//	<store>/
//	  store.json                      written first; a directory with files and without it is no store
//	  cache/uv                        metadata and wheels that uv fetched while it locked
//	  cache/git                       commits from which packages are built
//	  cache/builds                    output of builds from source
//	  tools/<platform>/               pinned helpers: a wheel of py-rattler, cpython-3.10.21-807bb6746dd8
//	  dists/<sha256 of the wheel>/    unpacked distributions and their bytecode; those that were built by
//	                                  the digest of the inputs of the build
//	  conda/                          unpacked conda packages
//	  tmp/                            temporary files of programs that reconcile starts
//	  trash/                          files that are being deleted
//	  lock                            locked while applies use the store, or prune changes it
//	  projects/<name>-<digest>/       the state directory of one project:
//	    project.json                  the path of the project
//	    lock                          locked during apply
//	    leases/                       the programs that `reconcile run` started
//	    state.jsonl                   journal of applied resources
//	    tested.json                   results of smoke tests by machine
//	    audited.json                  results of audits by environment
//	    digests                       digests of model files, with their file metadata
//	    runs/                         one record per apply
//	    trash/                        files that are being deleted
//	    kept/                         contents of files that were replaced
//	    envs/<environment>/<generation>/
//	      pyvenv.cfg, bin, lib        the environment itself
//	      reconcile/seal.json         written last; without it the generation is ignored
//	      reconcile/stamps            metadata of its directories when it was sealed
//	      reconcile/bytecode          digests of its bytecode when it was sealed
//	      reconcile/bin/              launchers, which use the real path
//
// In the project:
//
//	.venv/                            a real directory, which exposes the active generation
//	  generation -> <store>/projects/…/envs/local/<generation>   the one link that is switched
//	  bin -> generation/reconcile/bin
//	  lib -> generation/lib
//	  pyvenv.cfg -> generation/pyvenv.cfg
//	.conda/<environment>/             the same for conda, with conda-meta and etc instead of pyvenv.cfg
//
// All paths are slash-separated. Those in a project are relative to its root, those in the
// store absolute.
package layout

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"strings"
)

// FormerDir is the directory in a project in which earlier versions kept everything that is
// in the store now. It is no longer used.
const FormerDir = ".reconcile"

// GenerationLink is the link in the directory of an environment that selects the active
// generation.
const GenerationLink = "generation"

// IgnoreAll is the content of the .gitignore in the directory of an environment.
const IgnoreAll = "*\n"

// An ActiveEnv is the directory that exposes the active generation of an environment, its
// type ("venv" or "conda") and its Python minor version. PreviousName is the previous name
// of a moved environment, whose generations the directory may still expose; "" for none.
type ActiveEnv struct {
	Path, Type, Python, PreviousName string
	// Wheels returns the SHA-256 of the locked wheels for this machine, in hexadecimal. It is
	// nil if they are not known.
	Wheels func(platform string) []string
}

// An EntryLink is a link in the directory of an environment. Target is the text of the link.
type EntryLink struct{ Name, Target string }

// EntryLinks returns the links for a type of environment besides GenerationLink: programs
// through launchers, and the files by which editors and conda recognize an environment.
// conda also reads etc/conda/activate.d.
func EntryLinks(kind string) []EntryLink {
	names := []string{"lib", "pyvenv.cfg"}
	if kind == "conda" {
		names = []string{"lib", "conda-meta", "etc"}
	}
	links := []EntryLink{{"bin", Launchers(GenerationLink)}}
	for _, name := range names {
		links = append(links, EntryLink{name, path.Join(GenerationLink, name)})
	}
	return links
}

// Projects returns the directory of the state directories of all projects.
func Projects(store string) string { return path.Join(store, "projects") }

// State returns the state directory of the project at the absolute path root. Its name is
// that of the project directory and a digest of its path: a project that is moved, or
// cloned again elsewhere, begins with an empty state.
func State(store, root string) string {
	digest := sha256.Sum256([]byte(root))
	return path.Join(Projects(store), nameOf(root)+"-"+hex.EncodeToString(digest[:6]))
}

// nameOf returns the last element of a path as part of a file name, which launchers and
// activation scripts contain.
func nameOf(root string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '_'
	}, path.Base(root))
	name = strings.Trim(name[:min(len(name), 32)], ".-_")
	if name == "" {
		return "project"
	}
	return name
}

// ProjectFile returns the file with the path of the project that a state directory belongs
// to.
func ProjectFile(state string) string { return path.Join(state, "project.json") }

// Cache returns a cache directory, such as "uv".
func Cache(store, name string) string { return path.Join(store, "cache", name) }

// Tested returns the file with the results of smoke tests by machine.
func Tested(state string) string { return path.Join(state, "tested.json") }

// Audited returns the file with the results of audits by environment.
func Audited(state string) string { return path.Join(state, "audited.json") }

// Digests returns the file with the digests of model files.
func Digests(state string) string { return path.Join(state, "digests") }

// BuildLog returns the file with the output of a build from source, by the name and version of
// the package and the name of its result in hexadecimal.
func BuildLog(store, name, version, key string) string {
	return path.Join(Cache(store, "builds"), nameOf(name+"-"+version)+"-"+key[:12]+".log")
}

// DefaultConda returns the directory of a conda environment if the manifest sets none.
func DefaultConda(env string) string { return path.Join(".conda", env) }

// Conda returns the cache of conda packages.
func Conda(store string) string { return path.Join(store, "conda") }

// Temp returns the directory of temporary files.
func Temp(store string) string { return path.Join(store, "tmp") }

// StoreTrash returns the directory of files of the store that are being deleted.
func StoreTrash(store string) string { return path.Join(store, "trash") }

// StoreMarker returns the file by which a store is recognized.
func StoreMarker(store string) string { return path.Join(store, "store.json") }

// StoreLock returns the file that applies lock together, and prune alone.
func StoreLock(store string) string { return path.Join(store, "lock") }

// Dists returns the directory of unpacked distributions.
func Dists(store string) string { return path.Join(store, "dists") }

// Dist returns the directory of the distribution in a wheel, by the SHA-256 of the wheel in
// hexadecimal.
func Dist(store, sha256 string) string { return path.Join(Dists(store), sha256) }

// DistFiles returns the directory of the files of the wheel in the directory of a distribution.
func DistFiles(dist string) string { return path.Join(dist, "files") }

// DistEntry returns the file that is written last into the directory of a distribution.
// A distribution without it is ignored.
func DistEntry(dist string) string { return path.Join(dist, "entry.json") }

// Tools returns the directory of the pinned helpers for a platform: wheels that stay packed, and
// interpreters.
func Tools(store, platform string) string { return path.Join(store, "tools", platform) }

// Interpreter returns the directory of a fetched Python, by its version and the SHA-256 of its
// archive in hexadecimal.
func Interpreter(store, platform, version, sha256 string) string {
	return path.Join(Tools(store, platform), "cpython-"+version+"-"+sha256[:12])
}

// InterpreterVersion returns the version in the path of a fetched Python, "" for another path.
func InterpreterVersion(dir string) string {
	name, ok := strings.CutPrefix(path.Base(dir), "cpython-")
	if !ok {
		return ""
	}
	version, _, _ := strings.Cut(name, "-")
	return version
}

// IsGeneration reports whether target, the text of the generation link of an environment
// directory, has the form of a generation of that environment ("" for any), in any store or in
// a project as earlier versions kept them.
func IsGeneration(target, env string) bool {
	parts := strings.Split(path.Clean(target), "/")
	n := len(parts)
	return n >= 5 && parts[n-1] != "" && parts[n-1][0] != '.' && (env == "" || parts[n-2] == env) && parts[n-3] == "envs" &&
		(parts[n-5] == "projects" || parts[n-5] == FormerDir)
}

// Environment returns the directory of the generations of an environment.
func Environment(state, env string) string { return path.Join(state, "envs", env) }

// Generation returns the directory of one generation.
func Generation(state, env, name string) string { return path.Join(Environment(state, env), name) }

// Seal returns the file that is written last into a generation.
func Seal(generation string) string { return path.Join(generation, "reconcile", "seal.json") }

// Stamps returns the file with the metadata of the directories of a sealed generation.
func Stamps(generation string) string { return path.Join(generation, "reconcile", "stamps") }

// BytecodeList returns the file with the digests of the bytecode of a sealed generation.
func BytecodeList(generation string) string { return path.Join(generation, "reconcile", "bytecode") }

// Launchers returns the directory of the launchers of a generation.
func Launchers(generation string) string { return path.Join(generation, "reconcile", "bin") }

// SitePackages returns the site-packages directory of a generation for a Python minor
// version such as "3.10".
func SitePackages(generation, minor string) string {
	return path.Join(generation, "lib", "python"+minor, "site-packages")
}

// Trash returns the directory of files that are being deleted.
func Trash(state string) string { return path.Join(state, "trash") }

// Kept returns the directory of the contents of replaced files, by their SHA-256.
func Kept(state string) string { return path.Join(state, "kept") }

// Replaced returns the directory of the files that pulls of a sync entry replaced, with one
// directory per pull.
func Replaced(state, entry string) string { return path.Join(state, "replaced", entry) }

// Runs returns the directory of the run records.
func Runs(state string) string { return path.Join(state, "runs") }

// Leases returns the directory of the leases, see package lease.
func Leases(state string) string { return path.Join(state, "leases") }

// Journal returns the file of the state.
func Journal(state string) string { return path.Join(state, "state.jsonl") }

// Lock returns the file that apply locks.
func Lock(state string) string { return path.Join(state, "lock") }
