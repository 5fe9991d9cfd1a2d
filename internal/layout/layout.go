// Package layout knows where things lie in a project: the visible places that a
// manifest names, and what reconcile keeps below .reconcile.
//
//	.reconcile/
//	  local.yaml                      this machine's mirror, CA, wheel folder, proxy
//	  cache/uv                        wheels, shared by every machine that sees the folder
//	  cache/digests                   which files of models were hashed, and how they looked then
//	  tools/<platform>/               pinned helpers: uv-0.13.9, cpython-3.10.21
//	  <platform>-<machine>/           what belongs to one machine:
//	    lock                          held during apply
//	    state.jsonl                   journal of what was applied
//	    runs/                         one record an apply
//	    trash/                        on its way out
//	    kept/                         contents of files that were replaced
//	    conda/                        packages of conda, unpacked
//	    envs/<environment>/<generation>/
//	      pyvenv.cfg, bin, lib        the environment itself
//	      reconcile/seal.json         written last: without it nothing here counts
//	      reconcile/stamps            directories as they were when it was sealed
//	      reconcile/bin/              launchers that enter by real path
//	.venv/                            a real directory, the visible place
//	  generation -> ../.reconcile/…/envs/local/<generation>   the one link that switches
//	  bin -> generation/reconcile/bin
//	  lib -> generation/lib
//	  pyvenv.cfg -> generation/pyvenv.cfg
//	.conda/<environment>/             the same for one of conda, with conda-meta and etc in the place of pyvenv.cfg
//
// All paths are slash-separated and relative to the project root.
package layout

import "path"

// Dir is the folder that reconcile keeps in a project.
const Dir = ".reconcile"

// GenerationLink is the one link inside a visible environment that decides which
// generation it shows.
const GenerationLink = "generation"

// IgnoreAll is what the .gitignore in a visible environment says.
const IgnoreAll = "*\n"

// Visible is where an environment of a manifest can be seen, its type ("venv" or
// "conda") and the line of its Python. Former is the name that it had before, whose
// generations its place may still show; "" for none.
type ActiveEnv struct{ Path, Type, Python, PreviousName string }

// An EntryLink is a link in a visible environment, as it must be written.
type EntryLink struct{ Name, Target string }

// EntryLinks returns the links of a visible environment of a type, beside
// GenerationLink: programs through launchers, the rest for editors and for clients
// that look whether this is an environment. conda asks for conda-meta, and sources
// what lies in etc/conda/activate.d.
func EntryLinks(kind string) []EntryLink {
	links := []EntryLink{{"bin", Launchers(GenerationLink)}, {"lib", path.Join(GenerationLink, "lib")}}
	if kind == "conda" {
		return append(links, EntryLink{"conda-meta", path.Join(GenerationLink, "conda-meta")}, EntryLink{"etc", path.Join(GenerationLink, "etc")})
	}
	return append(links, EntryLink{"pyvenv.cfg", path.Join(GenerationLink, "pyvenv.cfg")})
}

// State returns the part of Dir that belongs to one machine.
func State(platform, machine string) string { return path.Join(Dir, platform+"-"+machine) }

// LocalConfig is the git-ignored file with this machine's index settings.
func LocalConfig() string { return path.Join(Dir, "local.yaml") }

// Cache returns a cache folder, such as "uv".
func Cache(name string) string { return path.Join(Dir, "cache", name) }

// Digests is the file that remembers which files of models were hashed.
func Digests() string { return Cache("digests") }

// DefaultConda returns the visible place of an environment of conda for which the
// manifest names none.
func DefaultConda(env string) string { return path.Join(".conda", env) }

// Conda returns where a machine keeps what it fetched of conda. It is no shared cache,
// which may have come with a clone: a package that lies there unpacked is compared with
// itself and no more.
func Conda(state string) string { return path.Join(state, "conda") }

// Tools returns the folder of pinned helpers for a platform.
func Tools(platform string) string { return path.Join(Dir, "tools", platform) }

// Tool returns the folder of one pinned helper, such as "uv", "0.13.9".
func Tool(platform, name, version string) string { return path.Join(Tools(platform), name+"-"+version) }

// ToolComplete is the file in the folder of a helper that is written last: the
// SHA-256 of its program, in hexadecimal. A helper without it does not count.
func ToolComplete(tool string) string { return path.Join(tool, "complete") }

// Environment returns the folder of an environment's generations.
func Environment(state, env string) string { return path.Join(state, "envs", env) }

// Generation returns the folder of one generation.
func Generation(state, env, name string) string { return path.Join(Environment(state, env), name) }

// Seal returns the file that is written last into a generation.
func Seal(generation string) string { return path.Join(generation, "reconcile", "seal.json") }

// Stamps returns the list of a generation's directories as they were sealed.
func Stamps(generation string) string { return path.Join(generation, "reconcile", "stamps") }

// Launchers returns the folder of scripts that enter a generation by its real path.
func Launchers(generation string) string { return path.Join(generation, "reconcile", "bin") }

// SitePackages returns where a generation's packages lie; line is "3.10".
func SitePackages(generation, line string) string {
	return path.Join(generation, "lib", "python"+line, "site-packages")
}

// Trash returns where a machine's things lie that are on their way out.
func Trash(state string) string { return path.Join(state, "trash") }

// Kept returns where the contents of replaced files are kept, by their sha256.
func Kept(state string) string { return path.Join(state, "kept") }

// Replaced returns where the files lie that pulls of an entry of sync have replaced, each
// pull in a folder of its own.
func Replaced(state, entry string) string { return path.Join(state, "replaced", entry) }

// Runs returns the folder with one record an apply.
func Runs(state string) string { return path.Join(state, "runs") }

// Journal returns the file that remembers what was applied.
func Journal(state string) string { return path.Join(state, "state.jsonl") }

// Lock returns the file that an apply holds locked.
func Lock(state string) string { return path.Join(state, "lock") }
