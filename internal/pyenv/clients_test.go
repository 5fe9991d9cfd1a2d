package pyenv

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestClients reads the records that two clients wrote for one noarch package: conda
// records paths of the archive and no digest of the program that it creates, rattler
// records installed paths.
func TestClients(t *testing.T) {
	const site = "lib/python3.10/site-packages"
	want := []string{
		"bin/tinypip", site + "/tinypip-1.0.dist-info/INSTALLER", site + "/tinypip-1.0.dist-info/METADATA",
		site + "/tinypip-1.0.dist-info/RECORD", site + "/tinypip/__init__.py",
	}
	for client, without := range map[string]int{"conda-26.7.1": 1, "rattler-0.28.0": 0} {
		b, err := os.ReadFile(filepath.Join("testdata", "conda-meta", client+".json"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := parseCondaRecord(b)
		if err != nil {
			t.Fatalf("%s: %v", client, err)
		}
		r.resolvePaths(site)
		var paths []string
		unknown := 0
		for _, c := range r.claims() {
			if isBytecode(c.Path) {
				continue
			}
			paths = append(paths, c.Path)
			if c.unknown() {
				unknown++
			}
		}
		slices.Sort(paths)
		if !slices.Equal(paths, want) || unknown != without {
			t.Errorf("%s: %d files without a digest, not %d: %v", client, unknown, without, paths)
		}
		if dirs := infoDirs([]condaRecord{r}, site); dirs["tinypip-1.0.dist-info"] != "tinypip" {
			t.Errorf("%s: %v", client, dirs)
		}
	}
}
