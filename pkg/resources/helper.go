package resources

import "github.com/reconcile-ml/reconcile/internal/facts"

// PipCommand returns the program and first arguments that run pip, up to its subcommand,
// or false if the interpreter has no pip. A pip wheel is run by the interpreter that it
// installs for; a pip module is run by base, for the environment at prefix ("" for base
// itself).
func PipCommand(base facts.Interpreter, prefix string) (program string, args []string, ok bool) {
	switch {
	case base.Pip == "":
		return "", nil, false
	// A build that reconcile fetches has the module. The name of its wheel is not known
	// before it is fetched.
	case base.Pip == "module" || base.Source == "reconcile":
		args = []string{"-I", "-m", "pip"}
		if prefix != "" {
			args = append(args, "--python", prefix+"/bin/python")
		}
		return base.Path, args, true
	case prefix != "":
		return prefix + "/bin/python", []string{"-I", base.Pip + "/pip"}, true
	}
	return base.Path, []string{"-I", base.Pip + "/pip"}, true
}

// HelperVersions returns the Python minor versions that can run the helpers, in the
// order of preference.
func HelperVersions() []string { return []string{"3.10", "3.11", "3.12", "3.13", "3.14"} }

// FirstPython returns the first usable interpreter of some minor versions. The view must
// show all of them.
func FirstPython(v facts.View, minors []string) (facts.Interpreter, bool) {
	for _, minor := range minors {
		if i, ok := facts.Get[facts.Pythons](v, facts.PythonKey(minor)).Usable(); ok {
			return i, true
		}
	}
	return facts.Interpreter{}, false
}

// FirstTool returns the first usable program of some names. The view must show all of
// them.
func FirstTool(v facts.View, names []string) (facts.Tool, bool) {
	for _, name := range names {
		if t := facts.Get[facts.Tool](v, facts.ToolKey(name)); t.Path != "" && t.Refused == "" {
			return t, true
		}
	}
	return facts.Tool{}, false
}

// ToolKeys returns the keys of programs.
func ToolKeys(names []string) []facts.Key { return keys(names, facts.ToolKey) }

// PythonKeys returns the keys of Python minor versions.
func PythonKeys(minors []string) []facts.Key { return keys(minors, facts.PythonKey) }

func keys(names []string, key func(string) facts.Key) []facts.Key {
	list := make([]facts.Key, len(names))
	for i, name := range names {
		list[i] = key(name)
	}
	return list
}

// PipDownload returns the arguments after PipCommand that download hashed wheels without
// unpacking them.
func PipDownload(cache string) []string { return pipArgs("download", cache) }

// PipInstall returns the arguments after PipCommand of every install: hashed wheels only,
// without dependencies, prompts and builds.
func PipInstall(cache string) []string {
	return append(pipArgs("install", cache), "--no-compile", "--ignore-installed")
}

func pipArgs(command, cache string) []string {
	return []string{
		command, "--no-input", "--no-color", "--progress-bar", "off", "--disable-pip-version-check",
		"--cache-dir", cache, "--no-deps", "--only-binary", ":all:", "--require-hashes",
	}
}

// PipEnv keeps pip from reading its configuration files. Run.Index passes the index.
func PipEnv() []string { return []string{"PIP_CONFIG_FILE=/dev/null"} }
