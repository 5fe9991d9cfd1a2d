// Package kernelspec reads and writes the descriptions with which Jupyter starts kernels.
package kernelspec

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"runtime"
	"strings"
)

// MaxSize is the size in bytes up to which a kernel.json is read.
const MaxSize = 1 << 20

// A Spec is the content of a kernel.json.
type Spec struct {
	Argv     []string `json:"argv"`
	Name     string   `json:"display_name"`
	Language string   `json:"language"`
	Metadata Metadata `json:"metadata"`
}

// Metadata describes a kernel to clients of Jupyter.
type Metadata struct {
	Debugger bool `json:"debugger"`
}

// New returns the description of a Python kernel. python is an absolute path. The arguments are
// those of ipykernel 6 and 7; the interpreter option is for its debugger.
func New(python, name string) Spec {
	return Spec{
		Argv: []string{python, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"},
		Name: name, Language: "python", Metadata: Metadata{Debugger: true},
	}
}

// Encode returns the text of a kernel.json.
func (s Spec) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(s)
	return b.Bytes(), err
}

// Program returns the program that a kernel.json starts, "" if there is none.
func Program(text []byte) string {
	var s struct {
		Argv []string `json:"argv"`
	}
	if json.Unmarshal(text, &s) != nil || len(s.Argv) == 0 {
		return ""
	}
	return s.Argv[0]
}

// Folder returns the folder with the user's kernels, as jupyter_core finds it; "" if home is
// needed and is "".
func Folder(getenv func(string) string, home string) string {
	if dir := getenv("JUPYTER_DATA_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "kernels")
	}
	if dir := getenv("XDG_DATA_HOME"); runtime.GOOS != "darwin" && filepath.IsAbs(dir) {
		return filepath.Join(dir, "jupyter", "kernels")
	}
	switch {
	case home == "":
		return ""
	case runtime.GOOS == "darwin":
		return filepath.Join(home, "Library", "Jupyter", "kernels")
	}
	return filepath.Join(home, ".local", "share", "jupyter", "kernels")
}

// NameOf returns a valid name for a kernel: lower case letters, digits, dots, dashes and
// underscores.
func NameOf(text string) string {
	return strings.Map(func(r rune) rune {
		if isNameRune(r) {
			return r
		}
		return '-'
	}, strings.ToLower(text))
}

// IsName reports whether Jupyter accepts a name for a kernel.
func IsName(name string) bool {
	return name != "" && strings.Trim(name, ".") != "" && strings.IndexFunc(name, func(r rune) bool { return !isNameRune(r) }) < 0
}

func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("-._", r)
}
