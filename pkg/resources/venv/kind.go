package venv

import "github.com/reconcile-ml/reconcile/pkg/resources"

// Kind is the kind "venv".
var Kind = resources.Kind{Name: "venv", Doc: doc, New: func() resources.Spec { return &Spec{} }}

const doc = `A Python environment that holds exactly what its lock names.

| field | meaning |
|---|---|
| ` + "`name`" + ` | the environment, as in the manifest |
| ` + "`path`" + ` | the visible place: ` + "`.venv`" + ` |
| ` + "`python`" + ` | the line of Python: ` + "`3.10`" + ` |
| ` + "`prompt`" + ` | what ` + "`activate`" + ` shows |
| ` + "`installer`" + ` | ` + "`auto`" + `, ` + "`uv`" + ` or ` + "`pip`" + ` |
| ` + "`closure`" + ` | the locked distributions for this platform, with their hashes |
| ` + "`imports`" + ` | modules that must import before the environment becomes visible |
| ` + "`prove_cuda`" + ` | whether torch must work on the GPU before that |
| ` + "`qlora`" + ` | the quantisation that a 4-bit layer must work with before that: ` + "`quant_type`, `double_quant`, `compute_dtype`" + ` |
| ` + "`variables`" + ` | environment variables that every way in sets to the absolute path of a place: ` + "`HF_HUB_CACHE`" + ` to ` + "`models`" + ` |

Environments are generations. One is built beside the others, at its final
place below ` + "`.reconcile/`" + `, from hashed wheels alone; nothing is built from
source. It is compiled and proved, every file is checked and synced,
and it is sealed. Only then one rename of one link makes it visible. A build that
fails, or is killed, leaves the visible generation as it was, and the next apply
begins it anew.

The name of a generation is the digest of all that decides its content: platform,
interpreter, locked versions and hashes, prompt, variables and what is proved. Where
wheels come from is no part of it. If a sealed generation with that digest is there
already, it is only switched to. What did not change is taken from the visible generation
and not downloaded again.

What is to be proved on a GPU is skipped where there is none, and unknown where the
GPU is full or busy; both are said, and neither keeps the environment from becoming
visible.

A visible generation is never changed in place. If it is damaged (files missing
or added, the interpreter gone), a sound one is built from its good parts.

A folder at ` + "`path`" + ` that reconcile did not make on this machine is never touched:
the resource is blocked, and the hint says how to move it away.
`
