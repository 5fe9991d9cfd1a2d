package wheels

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// maxShebang is the length in bytes that every system permits for the first line of a
// script, with its newline.
const maxShebang = 127

// shebang returns the lines that start a script with an interpreter and the arguments of
// the first line. If the path has blanks or is too long, /bin/sh starts the interpreter:
// its command is a string literal for Python. This is the form of pip and uv.
func shebang(python, args string) string {
	line := "#!" + python
	if args != "" {
		line += " " + args
	}
	if len(line) < maxShebang && !strings.ContainsAny(python, " \t") {
		return line + "\n"
	}
	command := "'''exec' " + shellQuote(python)
	if args != "" {
		command += " " + shellQuote(args) // the kernel passes all of them as one
	}
	return "#!/bin/sh\n" + command + ` "$0" "$@"` + "\n' '''\n"
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// checkPython returns an error for an interpreter that no first line of a script can name.
func checkPython(python string) error {
	if !filepath.IsAbs(python) || strings.ContainsAny(python, "\n\r\x00") {
		return fmt.Errorf("the path of the interpreter %q is not absolute or contains a line break", python)
	}
	return nil
}

// placeholder is the beginning of scripts of a wheel that any Python may run.
const placeholder = "#!python"

// rewriteShebang replaces the placeholder for the interpreter, also that for programs with
// windows (#!pythonw), in a script of a wheel.
func rewriteShebang(text []byte, python string) []byte {
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	_, args, _ := strings.Cut(strings.TrimRight(string(first), "\r"), " ")
	return append([]byte(shebang(python, strings.TrimSpace(args))), rest...)
}

// text returns the script of an entry point.
func (p EntryPoint) text(python string) []byte {
	name, _, _ := strings.Cut(p.Object, ".")
	return []byte(shebang(python, "") + "import sys\nfrom " + p.Module + " import " + name + "\nif __name__ == \"__main__\":\n    sys.exit(" + p.Object + "())\n")
}

// scripts returns the entry points that become scripts for a Python minor version. Wheels
// of pip contain pip3 with the version of the Python that built them, or without one.
func (e *Entry) scripts(minor string) []EntryPoint {
	list := slices.Clone(e.Console)
	for _, p := range e.GUI {
		if !slices.ContainsFunc(list, func(q EntryPoint) bool { return q.Name == p.Name }) {
			list = append(list, p)
		}
	}
	if e.Name != pep.Normalize("pip") {
		return list
	}
	list = slices.DeleteFunc(list, func(p EntryPoint) bool { return strings.HasPrefix(p.Name, "pip3.") })
	if i := slices.IndexFunc(list, func(p EntryPoint) bool { return p.Name == "pip3" }); i >= 0 {
		versioned := list[i]
		versioned.Name = "pip" + minor
		list = append(list, versioned)
	}
	return list
}
