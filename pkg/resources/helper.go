package resources

import "github.com/reconcile-ml/reconcile/internal/facts"

// PipWords returns the words that start pip with an interpreter, up to the
// subcommand, or false if it has no pip. A pip wheel is run by the interpreter
// that it installs for; a pip module is that of the base interpreter, which
// prefix tells to work for another one ("" for itself).
func PipCommand(base facts.Interpreter, prefix string) (program string, words []string, ok bool) {
	switch {
	case base.Pip == "":
		return "", nil, false
	// A build that we fetched holds the module; the name of its wheel, if it has
	// one, is not known before it is there.
	case base.Pip == "module" || base.Source == "reconcile":
		words = []string{"-I", "-m", "pip"}
		if prefix != "" {
			words = append(words, "--python", prefix+"/bin/python")
		}
		return base.Path, words, true
	case prefix != "":
		return prefix + "/bin/python", []string{"-I", base.Pip + "/pip"}, true
	}
	return base.Path, []string{"-I", base.Pip + "/pip"}, true
}

// HelperLines are the lines of Python that can run our helpers, the most tried first.
func HelperVersions() []string { return []string{"3.10", "3.11", "3.12", "3.13", "3.14"} }

// Helper returns the first usable interpreter of some lines, all of which the view
// must show.
func FirstPython(v facts.View, lines []string) (facts.Interpreter, bool) {
	for _, line := range lines {
		if i, ok := facts.Get[facts.Pythons](v, facts.PythonKey(line)).Usable(); ok {
			return i, true
		}
	}
	return facts.Interpreter{}, false
}

// Serves returns the first usable one of some programs, all of which the view must
// show.
func FirstTool(v facts.View, names []string) (facts.Tool, bool) {
	for _, name := range names {
		if t := facts.Get[facts.Tool](v, facts.ToolKey(name)); t.Path != "" && t.Refused == "" {
			return t, true
		}
	}
	return facts.Tool{}, false
}

// ToolKeys names programs.
func ToolKeys(names []string) []facts.Key {
	keys := make([]facts.Key, len(names))
	for i, name := range names {
		keys[i] = facts.ToolKey(name)
	}
	return keys
}

// PythonKeys names the interpreters of lines.
func PythonKeys(lines []string) []facts.Key {
	keys := make([]facts.Key, len(lines))
	for i, line := range lines {
		keys[i] = facts.PythonKey(line)
	}
	return keys
}

// PipDownload returns the words that follow PipWords to get one hashed wheel and
// leave it packed.
func PipDownload(cache string) []string { return pipExact("download", cache) }

// PipInstall returns the words that follow PipWords in every install: exact,
// hashed wheels and nothing else, without a question and without a build.
func PipInstall(cache string) []string {
	return append(pipExact("install", cache), "--no-compile", "--ignore-installed")
}

func pipExact(command, cache string) []string {
	return []string{
		command, "--no-input", "--no-color", "--progress-bar", "off", "--disable-pip-version-check",
		"--cache-dir", cache, "--no-deps", "--only-binary", ":all:", "--require-hashes",
	}
}

// PipEnv keeps pip from reading configuration files; what this machine's index
// needs comes by Run.Index.
func PipEnv() []string { return []string{"PIP_CONFIG_FILE=/dev/null"} }
