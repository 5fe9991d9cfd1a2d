package manifest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// large returns a manifest of n resources: nine directories for each file.
func large(n int) []byte {
	var b strings.Builder
	b.WriteString(head + "directories:\n")
	for i := range n - n/10 {
		fmt.Fprintf(&b, "  d%d: {path: data/part%d/d%d, purpose: \"directory number %d of many\"}\n", i, i%100, i, i)
	}
	b.WriteString("files:\n")
	for i := range n / 10 {
		fmt.Fprintf(&b, "  - {path: conf/part%d/f%d.txt, content: \"content of file %d\\n\", mode: \"0644\"}\n", i%100, i, i)
	}
	return []byte(b.String())
}

// plainManifest is the target of a program without checks.
type plainManifest struct {
	Version     int    `yaml:"version"`
	Project     string `yaml:"project"`
	Directories map[string]struct {
		Path    string `yaml:"path"`
		Purpose string `yaml:"purpose"`
	} `yaml:"directories"`
	Files []struct {
		Path    string `yaml:"path"`
		Content string `yaml:"content"`
		Mode    string `yaml:"mode"`
	} `yaml:"files"`
}

// BenchmarkLoad compares Load and Resources with a minimal program: the same
// text through yaml.Unmarshal into structs, and into nodes only.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		text := large(n)
		files := fstest.MapFS{"manifest.yaml": {Data: text}}
		b.Run(fmt.Sprintf("load/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m, err := manifest.Load(files, "manifest.yaml")
				if err != nil {
					b.Fatal(err)
				}
				list, err := m.Resources(linux, nil)
				if err != nil || len(list) != n {
					b.Fatal(len(list), err)
				}
			}
		})
		b.Run(fmt.Sprintf("structs/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var m plainManifest
				if err := yaml.Unmarshal(text, &m); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("nodes/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var m yaml.Node
				if err := yaml.Unmarshal(text, &m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
