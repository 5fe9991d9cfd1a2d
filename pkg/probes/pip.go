package probes

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// pipOptions lists the settings that are read from pip, by pip's names. The names of
// ours have underscores.
func pipOptions() []string { return []string{"index-url", "cert", "find-links", "proxy", "no-index"} }

// A pipFile is one of pip's configuration files, with its name as a source.
type pipFile struct{ name, label string }

// pipSettings returns the settings that pip on this machine uses: variables first, then
// files, in order of precedence. Files in environments are ignored, since the project's
// environments have none.
func (p *Prober) pipSettings() ([]setting, error) {
	var all []setting
	for _, option := range pipOptions() {
		name := strings.ReplaceAll(option, "-", "_")
		variable := "PIP_" + strings.ToUpper(name)
		all = appendSetting(all, name, p.environ[variable], variable)
	}
	if err := p.checkPipFile(); err != nil {
		return nil, err
	}
	for _, file := range slices.Backward(p.pipFiles()) {
		b, err := readSmall(file.name)
		if rawfile.IsAbsent(err) {
			continue
		}
		if err != nil {
			return nil, &diag.Problem{
				Code: "index.pip", Pos: diag.Pos{File: file.name}, Summary: "the configuration of pip cannot be read, so the package index is not known",
				Found: reason(err), Hint: "make it readable, or set RECONCILE_INDEX_URL and PIP_CONFIG_FILE=/dev/null",
			}
		}
		sections := parseINI(b)
		for _, section := range []string{"install", "global"} { // in order of precedence
			for _, option := range pipOptions() {
				all = appendSetting(all, strings.ReplaceAll(option, "-", "_"), sections[section][option], file.label)
			}
		}
	}
	return all, nil
}

// checkPipFile returns the problem that PIP_CONFIG_FILE names a file of the project, which may
// have come with a clone, or a file relative to the working directory.
func (p *Prober) checkPipFile() error {
	named := p.environ["PIP_CONFIG_FILE"]
	if named == "" {
		return nil
	}
	resolved := filepath.Clean(named)
	if r, err := filepath.EvalSymlinks(named); err == nil {
		resolved = r
	}
	problem := &diag.Problem{
		Code: "index.pip", Summary: "PIP_CONFIG_FILE names a file of the project, and a project cannot choose the package index", Found: named,
		Hint: "copy the file to ~/.config/pip/pip.conf, or set PIP_CONFIG_FILE=/dev/null",
	}
	switch {
	case !filepath.IsAbs(named):
		problem.Summary = "PIP_CONFIG_FILE is not an absolute path"
	case resolved != p.root && !within(resolved, p.root):
		return nil
	}
	return problem
}

// pipFiles lists pip's configuration files in the order in which pip reads them.
func (p *Prober) pipFiles() []pipFile {
	named := p.environ["PIP_CONFIG_FILE"]
	if named == "/dev/null" {
		return nil
	}
	var files []pipFile
	add := func(label, name string) {
		if name != "" {
			files = append(files, pipFile{name, label})
		}
	}
	if p.system.os == "darwin" {
		add("pip.conf of the system", p.sys("/Library/Application Support/pip/pip.conf"))
	} else {
		for _, dir := range filepath.SplitList(p.environ["XDG_CONFIG_DIRS"]) {
			if filepath.IsAbs(dir) {
				add("pip.conf of the system", filepath.Join(dir, "pip/pip.conf"))
			}
		}
		if p.environ["XDG_CONFIG_DIRS"] == "" {
			add("pip.conf of the system", p.sys("/etc/xdg/pip/pip.conf"))
		}
		add("pip.conf of the system", p.sys("/etc/pip.conf"))
	}
	add("pip.conf of the user", p.below(".pip/pip.conf"))
	user := join(p.dirVariable("XDG_CONFIG_HOME", p.below(".config")), "pip/pip.conf")
	if mac := p.below("Library/Application Support/pip"); p.system.os == "darwin" && mac != "" && exists(mac) {
		user = filepath.Join(mac, "pip.conf")
	}
	add("pip.conf of the user", user)
	add("PIP_CONFIG_FILE", named)
	return files
}

// parseINI reads sections of "name = value" or "name: value"; indented lines continue the
// value. Names are normalised as in pip: lower case, hyphens, no leading hyphens.
func parseINI(b []byte) map[string]map[string]string {
	sections := map[string]map[string]string{}
	section, name := "", ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimSpace(line)
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
		case (line[0] == ' ' || line[0] == '\t') && name != "":
			sections[section][name] = strings.TrimSpace(sections[section][name] + "\n" + text)
		case text[0] == '[' && strings.HasSuffix(text, "]"):
			section, name = strings.ToLower(text[1:len(text)-1]), ""
			if sections[section] == nil {
				sections[section] = map[string]string{}
			}
		default:
			i := strings.IndexAny(text, "=:")
			if i < 0 || sections[section] == nil {
				name = ""
				continue
			}
			name = strings.ToLower(strings.TrimSpace(text[:i]))
			name = strings.TrimLeft(strings.ReplaceAll(name, "_", "-"), "-")
			sections[section][name] = strings.TrimSpace(text[i+1:])
		}
	}
	return sections
}
