package facts

import (
	"path"
	"strings"
)

// Subject names the file: "the Jupyter kernel train".
func (r Reference) Subject() string {
	switch r.Kind {
	case "kernel":
		return "the Jupyter kernel " + r.kernel()
	case "pre-commit", "hook":
		return "the git hook " + r.Path
	}
	return "the venv " + r.Path
}

func (r Reference) kernel() string { return path.Base(path.Dir(r.Path)) }

// Remedy returns the command after which the file starts the active generation.
func (r Reference) Remedy() string {
	switch r.Kind {
	case "kernel":
		return "`reconcile kernel --name " + r.kernel() + "` makes it follow the active one"
	case "hook":
		return "replace the path in it by that of the environment, such as .venv/bin/python"
	case "pre-commit":
		return "`reconcile run -- pre-commit install --hook-type " + path.Base(r.Path) + "` writes it again"
	}
	dir := shellWord(r.Path)
	return "`rm " + dir + "/bin/python* && reconcile run -- python -m venv --upgrade " + dir + "` moves it to the active one"
}

// shellWord quotes a path for a shell if it needs that.
func shellWord(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
