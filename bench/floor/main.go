// Command floor is the minimum of a plan: it reads the manifest with the same YAML library,
// stats the same paths, compares the same contents and prints a line. Benchmarks measure
// `reconcile plan` against it.
//
// It walks the nodes of the YAML library, which is faster than decoding into Go structs (and
// not quadratic in large maps). Its optional argument is a file with one more path on each
// line: the directories of an environment.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

func main() {
	raw, err := os.ReadFile("manifest.yaml")
	check(err)
	var doc yaml.Node
	check(yaml.Unmarshal(raw, &doc))
	differ, all := 0, 0
	sections := doc.Content[0].Content
	for i := 0; i < len(sections); i += 2 {
		switch sections[i].Value {
		case "directories":
			for j := 1; j < len(sections[i+1].Content); j += 2 {
				all++
				if info, err := os.Lstat(field(sections[i+1].Content[j], "path")); err != nil || !info.IsDir() {
					differ++
				}
			}
		case "files":
			for _, f := range sections[i+1].Content {
				all++
				if !same(field(f, "path"), field(f, "content")) {
					differ++
				}
			}
		}
	}
	for _, list := range os.Args[1:] {
		paths, err := os.ReadFile(list)
		check(err)
		for path := range strings.Lines(string(paths)) {
			all++
			if _, err := os.Lstat(strings.TrimSpace(path)); err != nil {
				differ++
			}
		}
	}
	fmt.Printf("%d of %d differ\n", differ, all)
}

// same reports whether a regular file has the given content.
func same(path, content string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	got, err := os.ReadFile(path)
	return err == nil && bytes.Equal(got, []byte(content))
}

// field returns the value of a key of a mapping, or "".
func field(n *yaml.Node, key string) string {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1].Value
		}
	}
	return ""
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
