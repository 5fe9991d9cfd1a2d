package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Paths are the directories of a manifest on one machine.
type Paths struct {
	Project     string          `json:"project"`
	Root        string          `json:"root"`        // absolute, links resolved
	Environment string          `json:"environment"` // of this machine; "" if the manifest has none
	Directories []DirectoryPath `json:"directories"`
}

// A DirectoryPath is one directory of a manifest.
type DirectoryPath struct {
	Name     string `json:"name"`     // "data_raw"
	Constant string `json:"constant"` // "DATA_RAW"
	Path     string `json:"path"`     // relative to the project, the same on every machine
	Absolute string `json:"absolute"`
	// Place is the absolute target of the link at Absolute, if this machine has one.
	Place   string `json:"place,omitempty"`
	Purpose string `json:"purpose,omitempty"`
}

// PathsJSON writes paths as one document.
func PathsJSON(w io.Writer, p Paths) error {
	return JSON(w, struct {
		Version int `json:"version"`
		Paths
	}{Version, p})
}

// PathsTable prints paths as a table.
func PathsTable(w io.Writer, p Paths, o Options) error {
	out := newPage(w, o)
	out.line(0, "%s in %s", p.Project, p.Root)
	rows := [][]string{{"CONSTANT", "PATH", "PURPOSE"}}
	for _, d := range p.Directories {
		where := d.Path
		if d.Place != "" {
			where += " -> " + d.Place
		}
		rows = append(rows, []string{d.Constant, where, d.Purpose})
	}
	out.grid(rows)
	return out.close()
}

// PathsShell writes assignments for `eval` in sh, bash and zsh, and for `source` in fish.
// They are exact, and escaped only on a terminal.
func PathsShell(w io.Writer, root string, p Paths, o Options) error {
	var b bytes.Buffer
	export(&b, root, p.Root)
	for _, d := range p.Directories {
		export(&b, d.Constant, d.Absolute)
	}
	if !o.Terminal {
		_, err := w.Write(b.Bytes())
		return err
	}
	out := newPage(w, o)
	for _, line := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
		out.raw(Escape(line) + "\n")
	}
	return out.close()
}

// export writes one assignment. A backslash in single quotes is literal in sh but not
// always in fish; two in double quotes are one backslash in both.
func export(w io.Writer, name, value string) {
	quoted := strings.NewReplacer(`'`, `'\''`, `\`, `'"\\"'`).Replace(value)
	fmt.Fprintf(w, "export %s='%s'\n", name, quoted)
}
