// Package layout defines the paths of a project: those that expose environments, and those
// below .reconcile.
//
//	.reconcile/
//	  cache/uv                        wheels, shared by all machines that mount the project
//	  cache/digests                   digests of model files, with their file metadata
//	  tools/<platform>/               pinned helpers: uv-0.13.9, cpython-3.10.21
//	  <platform>-<machine>/           the state directory of one machine:
//	    lock                          locked during apply
//	    state.jsonl                   journal of applied resources
//	    runs/                         one record per apply
//	    trash/                        files that are being deleted
//	    kept/                         contents of files that were replaced
//	    conda/                        unpacked conda packages
//	    envs/<environment>/<generation>/
//	      pyvenv.cfg, bin, lib        the environment itself
//	      reconcile/seal.json         written last; without it the generation is ignored
//	      reconcile/stamps            metadata of its directories when it was sealed
//	      reconcile/bin/              launchers, which use the real path
//	.venv/                            a real directory, which exposes the active generation
//	  generation -> ../.reconcile/…/envs/local/<generation>   the one link that is switched
//	  bin -> generation/reconcile/bin
//	  lib -> generation/lib
//	  pyvenv.cfg -> generation/pyvenv.cfg
//	.conda/<environment>/             the same for conda, with conda-meta and etc instead of pyvenv.cfg
//
// All paths are slash-separated and relative to the project root.
package layout

import "path"

// Dir is the directory of reconcile in a project.
const Dir = ".reconcile"

// GenerationLink is the link in the directory of an environment that selects the active
// generation.
const GenerationLink = "generation"

// IgnoreAll is the content of the .gitignore in the directory of an environment.
const IgnoreAll = "*\n"

// An ActiveEnv is the directory that exposes the active generation of an environment, its
// type ("venv" or "conda") and its Python minor version. PreviousName is the previous name
// of a moved environment, whose generations the directory may still expose; "" for none.
type ActiveEnv struct{ Path, Type, Python, PreviousName string }

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

// State returns the state directory of one machine.
func State(platform, machine string) string { return path.Join(Dir, platform+"-"+machine) }

// Cache returns a cache directory, such as "uv".
func Cache(name string) string { return path.Join(Dir, "cache", name) }

// Digests returns the file with the digests of model files.
func Digests() string { return Cache("digests") }

// DefaultConda returns the directory of a conda environment if the manifest sets none.
func DefaultConda(env string) string { return path.Join(".conda", env) }

// Conda returns the conda cache of a machine. It is not shared, because a shared cache may
// have been cloned, and an unpacked package is compared only with its own metadata.
func Conda(state string) string { return path.Join(state, "conda") }

// Tools returns the directory of the pinned helpers for a platform.
func Tools(platform string) string { return path.Join(Dir, "tools", platform) }

// Tool returns the directory of one pinned helper, such as "uv", "0.13.9".
func Tool(platform, name, version string) string { return path.Join(Tools(platform), name+"-"+version) }

// ToolComplete returns the file that is written last into the directory of a helper. It
// contains the SHA-256 of its program, in hexadecimal. A helper without it is ignored.
func ToolComplete(tool string) string { return path.Join(tool, "complete") }

// Environment returns the directory of the generations of an environment.
func Environment(state, env string) string { return path.Join(state, "envs", env) }

// Generation returns the directory of one generation.
func Generation(state, env, name string) string { return path.Join(Environment(state, env), name) }

// Seal returns the file that is written last into a generation.
func Seal(generation string) string { return path.Join(generation, "reconcile", "seal.json") }

// Stamps returns the file with the metadata of the directories of a sealed generation.
func Stamps(generation string) string { return path.Join(generation, "reconcile", "stamps") }

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

// Journal returns the file of the state.
func Journal(state string) string { return path.Join(state, "state.jsonl") }

// Lock returns the file that apply locks.
func Lock(state string) string { return path.Join(state, "lock") }
