package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// wheelFolder writes wheels into a folder, which it creates: wheels DIR SPEC…. A SPEC is
// NAME-VERSION, NAME-VERSION/MODULE with another module than NAME, and either with :REQUIREMENT.
func wheelFolder(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: wheels DIR SPEC…")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	for _, spec := range args[1:] {
		spec, requirement, _ := strings.Cut(spec, ":")
		spec, module, _ := strings.Cut(spec, "/")
		name, version, _ := strings.Cut(spec, "-")
		w := wheel{name: name, version: version, files: map[string]string{}}
		metadata := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version)
		if requirement != "" {
			metadata += "Requires-Dist: " + requirement + "\n"
		}
		w.files[name+"-"+version+".dist-info/METADATA"] = metadata
		if module != "" {
			w.files[module+"/__init__.py"] = ""
		}
		ts.Check(os.WriteFile(filepath.Join(dir, w.file()), w.bytes(), 0o644))
	}
}
