package foreignlock

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// BenchmarkUVLock reads a uv.lock of 1 MB with 300 packages, which every plan does.
func BenchmarkUVLock(b *testing.B) {
	text, project := largeLock(300, 9)
	s := Selection{Project: []byte(project), Python: "3.12", Platforms: []string{"linux-x86_64", "macos-arm64"}}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		l, err := Decode([]byte(text), "uv.lock", s)
		if err != nil || len(l.Packages) != 300 {
			b.Fatal(err)
		}
	}
}

// largeLock returns a uv.lock of n packages with wheels for several systems, and its project.
func largeLock(n, wheels int) (text, project string) {
	var b, requires, metadata strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "[[package]]\nname = \"package-%d\"\nversion = \"1.%d\"\nsource = { registry = %q }\n", i, i, publicIndex)
		b.WriteString("dependencies = [\n")
		for d := i + 1; d < min(n, i+5); d++ {
			fmt.Fprintf(&b, "    { name = \"package-%d\", marker = \"python_full_version < '3.1%d' or sys_platform != 'win32'\" },\n", d, d%10)
		}
		file := fmt.Sprintf("https://files.example/packages/20/12/%060d/package_%d-1.%d", i, i, i)
		fmt.Fprintf(&b, "]\nsdist = { url = \"%s.tar.gz\", hash = \"sha256:%s\", size = 1000, upload-time = \"2025-01-02T03:04:05Z\" }\nwheels = [\n", file, sum)
		for w := range wheels {
			fmt.Fprintf(&b, "    { url = \"%s-cp3%d-cp3%d-%s.whl\", hash = \"sha256:%s\", size = 1000, upload-time = \"2025-01-02T03:04:05Z\" },\n", file, 10+w/3, 10+w/3, []string{"manylinux_2_17_x86_64", "macosx_11_0_arm64", "win_amd64"}[w%3], sum)
		}
		b.WriteString("]\n\n")
		fmt.Fprintf(&requires, "    %q,\n", fmt.Sprintf("package-%d>=1.0,<2", i))
		fmt.Fprintf(&metadata, "    { name = \"package-%d\", specifier = \">=1.0,<2\" },\n", i)
	}
	text = strings.Replace(head, `[{ name = "a" }]`, "[{ name = \"package-0\" }]\n\n[package.metadata]\nrequires-dist = [\n"+metadata.String()+"]", 1) + b.String()
	return text, "[project]\nname = \"demo\"\nrequires-python = \">=3.10\"\ndependencies = [\n" + requires.String() + "]\n"
}

// BenchmarkTOML is the bare decoding of the same lock, without a selection.
func BenchmarkTOML(b *testing.B) {
	text, _ := largeLock(300, 9)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var doc uvLock
		if err := toml.Unmarshal([]byte(text), &doc); err != nil {
			b.Fatal(err)
		}
	}
}
