package conda

import "github.com/reconcile-ml/reconcile/pkg/resources"

// Kind is the kind "conda".
var Kind = resources.Kind{Name: "conda", Doc: doc, New: func() resources.Spec { return &Spec{} }, Codes: codes}

const doc = `A Python environment of conda that holds exactly what its lock names.

| field | meaning |
|---|---|
| ` + "`name`" + ` | the environment, as in the manifest |
| ` + "`path`" + ` | the visible place: ` + "`.conda/remote`" + ` |
| ` + "`python`" + ` | the line of Python: ` + "`3.10`" + `; the lock names the release |
| ` + "`engine`" + ` | ` + "`auto`" + `, ` + "`rattler`" + `, ` + "`micromamba`" + `, ` + "`mamba`" + ` or ` + "`conda`" + ` |
| ` + "`installer`" + ` | ` + "`auto`" + `, ` + "`uv`" + ` or ` + "`pip`" + `, for the distributions of Python |
| ` + "`channels`" + ` | of conda, in order of priority; ` + "`file:///…`" + ` too |
| ` + "`requested`" + ` | what was solved |
| ` + "`packages`" + ` | the locked packages of conda for this platform: version, build, sha256 |
| ` + "`closure`" + ` | the locked distributions of Python for this platform, with their hashes |
| ` + "`imports`" + `, ` + "`prove_cuda`" + `, ` + "`qlora`" + ` | what must be proved before the environment becomes visible |
| ` + "`variables`" + ` | environment variables that every way in sets to the absolute path of a place: ` + "`HF_HUB_CACHE`" + ` to ` + "`models`" + ` |

conda brings the interpreter and what ` + "`conda_packages`" + ` asks for; uv or pip bring the
rest from hashed wheels. No package is in both parts, so that neither replaces what
the other installed. Nothing is solved when it is built: the lock names every build.

Environments are generations, as those of kind venv: built aside at their final
place, proved, every file compared with the digest that conda-meta or RECORD states,
sealed, and then made visible by one rename. ` + "`conda activate PATH`" + ` on the visible place,
and ` + "`conda activate NAME`" + ` with ` + "`register: true`" + `, enter a generation by its real path, so a
shell and its jobs keep what they started with.

` + "`auto`" + ` installs with py-rattler, from its pinned wheel, run by a Python 3.10 or later of
the machine; where there is none, with micromamba, mamba or conda. py-rattler compares
every archive with the lock and runs no scripts of packages. The clients run link
scripts, and conda does not compare a local archive; configuration files of the user
have no effect on any of them, those of the system and of the client itself have on
conda and mamba 1. What they noted is compared with the lock before the environment
can be seen.

What is installed is read from conda-meta and site-packages, never by ` + "`conda list`" + `, which
deletes records of packages that pip replaced. A folder at ` + "`path`" + ` that reconcile did not
make on this machine is never touched.
`
