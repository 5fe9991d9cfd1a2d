// Command bare creates the files of a manifest as durably as apply and as simply as possible:
// directories, temporary files, one sync, renames, one sync.
// Benchmarks measure the first `reconcile apply` against it.
package main

import (
	"fmt"
	"os"

	"gopkg.in/yaml.v3"
)

// manifest is the part of a manifest that bare reads. The directories stay a node, because
// the library is quadratic in the size of a map.
type manifest struct {
	Directories yaml.Node
	Files       []struct{ Path, Content string }
}

func main() {
	raw, err := os.ReadFile("manifest.yaml")
	check(err)
	var m manifest
	check(yaml.Unmarshal(raw, &m))
	for i := 1; i < len(m.Directories.Content); i += 2 {
		check(os.MkdirAll(m.Directories.Content[i].Content[1].Value, 0o755)) // path comes first
	}
	for _, f := range m.Files {
		check(os.WriteFile(f.Path+".tmp", []byte(f.Content), 0o644))
	}
	sync()
	for _, f := range m.Files {
		check(os.Rename(f.Path+".tmp", f.Path))
	}
	sync()
	fmt.Println(len(m.Directories.Content)/2 + len(m.Files))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
