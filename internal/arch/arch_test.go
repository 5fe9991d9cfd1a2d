package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strings"
	"testing"
)

// module is the import path of the package at the top, which only embeds files; it is
// "." here. All others begin with it.
const module = "github.com/reconcile-ml/reconcile"

// floors lists the packages of the house from the ground up. A package may import
// only from floors below its own; * stands for one path element.
var floors = [][]string{
	{".", "internal/*"},
	{"internal/facts", "internal/diag", "internal/catalog"},
	{"internal/pyenv", "internal/hub", "internal/declared"}, // know installed environments and models as facts, and the requirements of foreign files
	{"pkg/resources", "internal/lock", "internal/nvidia", "internal/exit"},
	{"internal/userconfig"},
	{"internal/store"},
	{"internal/generation", "internal/rsync", "internal/simpleindex", "internal/wheels"},
	{"internal/foreignlock"},
	{"internal/sourcebuild"}, // assembles wheels into the environment of a build
	{"pkg/resources/*", "pkg/probes"},
	{"pkg/resources/all", "pkg/resources/resourcetest", "internal/state"},
	{"internal/manifest", "pkg/planner", "internal/compare"},
	{"internal/apply", "internal/scan", "internal/planfile"},
	{"internal/session"},   // the phases of a run, each a type
	{"internal/runrecord"}, // a stored format: what apply writes, runs and undo read, and report prints
	{"internal/report"},
	{"internal/audit", "internal/doctor", "internal/editing", "internal/environments", "internal/explain", "internal/fleet", "internal/history", "internal/locking", "internal/models", "internal/ownership", "internal/packages", "internal/savedplan", "internal/scaffold", "internal/storage", "internal/transfer"}, // features: they do not import each other
	{"internal/cli", "internal/catalog/generate", "bench", "bench/*"},
	{"cmd/*", "internal/manpages"},
}

// rules are what floors cannot say: who alone may import something, and why.
var rules = []struct {
	imported string
	only     []string
	why      string
}{
	{"os/exec", []string{"internal/command"}, "one place starts processes, so that environment, deadline and process group are right everywhere"},
	{"github.com/hashicorp/go-multierror", []string{"internal/diag"}, "a nil *multierror.Error in an error is not nil; diag.List hides that"},
	{"gopkg.in/yaml.v3", []string{"internal/manifest", "internal/userconfig", "internal/declared", "internal/foreignlock", "internal/yamledit", "bench/floor", "bench/bare"}, "foreign YAML is walked with budgets, or decoded with a limit of its size and of aliases; nothing else reads YAML"},
	{"github.com/pelletier/go-toml/v2", []string{"internal/declared", "internal/lock", "internal/foreignlock", "internal/sourcebuild"}, "locks are the only TOML that is ours; declared, builds from source and locks of other tools need a pyproject.toml"},
	{"github.com/NVIDIA/go-nvml/pkg/nvml", []string{"pkg/probes"}, nvmlWhy},
	{"github.com/NVIDIA/go-nvml/pkg/dl", []string{"pkg/probes"}, nvmlWhy},
	{"golang.org/x/net/html", []string{"internal/simpleindex"}, "pages of package indexes are the only HTML that is read"},
	{"github.com/klauspost/compress/flate", []string{"internal/wheels"}, "wheels are the only large archives; elsewhere the standard library suffices"},
	{"github.com/spf13/cobra", []string{"internal/cli", "internal/manpages", "bench/empty"}, "the command line is in one package; manpages documents it"},
	{"net/http", []string{"internal/download", "internal/simpleindex", "internal/apply", "internal/lock", "pkg/probes", "internal/locking", "internal/doctor"}, "a plan uses no network; probes only make a client for others; doctor sends one request to the package index"},
}

const nvmlWhy = "it does not compile without cgo, and calling it can end the process: gpu_nvml.go runs in one of its own"

type goPackage struct {
	ImportPath string
	Imports    []string
}

func TestImportsPointDownwards(t *testing.T) {
	for _, p := range packages(t) {
		from, _ := ours(p.ImportPath)
		mine := floor(from)
		if mine < 0 {
			t.Errorf("%s stands on no floor: add it to floors and to docs/architecture.md", from)
			continue
		}
		for _, imported := range p.Imports {
			checkRules(t, from, imported)
			to, is := ours(imported)
			if !is {
				continue
			}
			below := floor(to)
			sameFloor := mine == 0 && below == 0 && !strings.Contains(to, "pyenv") // the tools of internal may use each other
			if below >= mine && !sameFloor {
				t.Errorf("%s imports %s: a package imports only from floors below it", from, to)
			}
		}
	}
}

// ours returns the name of a package of this module without the module's.
func ours(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func checkRules(t *testing.T, from, imported string) {
	for _, r := range rules {
		if imported != r.imported {
			continue
		}
		allowed := false
		for _, p := range r.only {
			allowed = allowed || p == from
		}
		if !allowed {
			t.Errorf("%s imports %s, which only %s may: %s", from, imported, strings.Join(r.only, ", "), r.why)
		}
	}
}

// floor returns the number of a package's floor; the most exact pattern wins.
func floor(p string) int {
	found := -1
	for i, patterns := range floors {
		for _, pattern := range patterns {
			if pattern == p {
				return i
			}
			if ok, _ := path.Match(pattern, p); ok && found < 0 {
				found = i
			}
		}
	}
	return found
}

func packages(t *testing.T) []goPackage {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("go list does not run here: %v", err)
	}
	var list []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}
