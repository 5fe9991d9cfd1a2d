package resources

import "github.com/reconcile-ml/reconcile/pkg/facts"

// PipWords returns the words that start pip with an interpreter, up to the
// subcommand, or false if it has no pip. A pip wheel is run by the interpreter
// that it installs for; a pip module is that of the base interpreter, which
// prefix tells to work for another one ("" for itself).
func PipWords(base facts.Interpreter, prefix string) (program string, words []string, ok bool) {
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

// PipInstall returns the words that follow PipWords in every install: exact,
// hashed wheels and nothing else, without a question and without a build.
func PipInstall(cache string) []string {
	return []string{
		"install", "--no-input", "--no-color", "--progress-bar", "off", "--disable-pip-version-check",
		"--cache-dir", cache, "--no-deps", "--only-binary", ":all:", "--require-hashes", "--no-compile", "--ignore-installed",
	}
}

// PipEnv keeps pip from reading configuration files; what this machine's index
// needs comes by Run.Index.
func PipEnv() []string { return []string{"PIP_CONFIG_FILE=/dev/null"} }
