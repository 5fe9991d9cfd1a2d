// Package pyenv reads an installed Python environment from its files. It never
// starts Python, writes nothing and uses no network.
//
// It answers six questions, for environments of type venv and for those of conda:
//
//  1. What is installed? Installed reads the metadata of every distribution.
//  2. What should be there? RECORD, the list of files that each distribution
//     carries, conda-meta for packages of conda, and the Seal that was written when the environment was built.
//  3. Is it still so? CheckFast asks the directories alone, Verify every file,
//     and with deep every byte.
//  4. What bytecode is lacking? Uncompiled.
//  5. What can be started in it, and what does it weigh? Scripts and Size.
//  6. Which CUDA was its torch built for? ReadTorch.
//
// A generation is an environment as package layout describes it; its paths here
// are relative to the generation and slash-separated. The words of facts.Damage
// mean:
//
//	missing      a file of a RECORD, or a whole distribution, is not there
//	foreign      a file, directory or distribution that nothing accounts for
//	changed      another size, digest or sort of file than recorded; a RECORD or a record of conda that cannot be read
//	doubled      two RECORDs claim one path with different contents
//	interpreter  bin/python or the home in pyvenv.cfg leads nowhere
//	package      a distribution in another version than sealed, or twice
//	moved        the environment was built for another path
//	seal         the seal cannot be read
package pyenv

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/layout"
)

// A Dist is one installed distribution, known from its metadata folder.
type Dist struct {
	Name      string // normalised
	Version   string // as its metadata says it
	Origin    string // "" for an index; else "editable", "vcs", "local", "url"
	Installer string // "pip", "uv", "conda"; "" where nobody signed
	InfoDir   string // name of the dist-info or egg-info entry in site-packages
	// Problem says why this does not count as installed: what an interrupted
	// pip left behind, or metadata without a name. "" for a sound one.
	Problem string
}

// errLibrary is what an environment without exactly one library of Python gives.
var errLibrary = errors.New("not one library of Python 3")

// SitePackages returns where the packages of a generation lie, relative to it,
// and the line of its Python ("3.10"). A generation has one line; none or
// several are an error.
func SitePackages(genDir string) (rel, line string, err error) {
	names, err := os.ReadDir(filepath.Join(genDir, "lib"))
	if err != nil {
		return "", "", err
	}
	for _, e := range names {
		l, ok := strings.CutPrefix(e.Name(), "python")
		if !ok || !strings.HasPrefix(l, "3.") || !e.IsDir() { // conda's Python adds a link python3.1
			continue
		}
		if line != "" {
			return "", "", fmt.Errorf("%w: %s holds those of Python %s and %s", errLibrary, path.Join(genDir, "lib"), line, l)
		}
		line = l
	}
	if line == "" {
		return "", "", fmt.Errorf("%w: %s holds none", errLibrary, path.Join(genDir, "lib"))
	}
	return layout.SitePackages("", line), line, nil
}
