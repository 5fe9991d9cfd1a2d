// Package reconcile is the project that the program lives in, as `reconcile init`
// starts it elsewhere: its files are embedded from where this repository uses them
// itself, so that there is one source of each.
package reconcile

import "embed"

// Project holds what a new project begins with. What the manifest writes itself when
// it is applied, such as scripts/paths.py, is in here only where its folder is; init
// leaves it out. Of docs there is what these files refer to. Names that begin with _ or
// a dot are no part of a folder.
//
//go:embed manifest.yaml .gitignore
//go:embed templates scripts configs locks
//go:embed setup_local.sh setup_remote.sh
//go:embed docs/configuration.md docs/schema/manifest.v1.json
var Project embed.FS

// Troubleshooting is the page that `reconcile explain` prints parts of.
//
//go:embed docs/troubleshooting.md
var Troubleshooting string
