package probes

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// pipNames are the settings that are taken over from pip, by pip's names.
var pipNames = map[string]string{
	"index-url": "index_url", "cert": "cert", "find-links": "find_links", "proxy": "proxy", "no-index": "no_index",
}

// A pipFile is one of pip's configuration files, and what people call it.
type pipFile struct{ name, label string }

// pipSettings takes over what pip on this machine would use: variables first,
// then files, the last of which wins. Files inside of environments do not count:
// none of the project's has any.
func (p *Prober) pipSettings() ([]setting, error) {
	var all []setting
	for _, name := range []string{"index-url", "cert", "find-links", "proxy", "no-index"} {
		variable := "PIP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if value := p.environ[variable]; value != "" {
			all = append(all, setting{name: pipNames[name], values: splitValues(pipNames[name], value), source: variable})
		}
	}
	files := p.pipFiles()
	for i := len(files) - 1; i >= 0; i-- {
		b, err := readSmall(files[i].name)
		if errors.Is(err, fs.ErrNotExist) || isGone(err) {
			continue
		}
		if err != nil {
			return nil, &diag.Problem{
				Code: "index.pip", Pos: diag.Pos{File: files[i].name}, Summary: "pip's configuration cannot be read, so this machine's index is not known",
				Found: reason(err), Hint: "make it readable, or set RECONCILE_INDEX_URL and PIP_CONFIG_FILE=/dev/null",
			}
		}
		all = append(all, pipSections(parseINI(b), files[i].label)...)
	}
	return all, nil
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
	if filepath.IsAbs(named) {
		add("PIP_CONFIG_FILE", named)
	}
	return files
}

// pipSections returns the settings of one file: those for install go before
// those for all commands.
func pipSections(sections map[string]map[string]string, label string) []setting {
	var all []setting
	for _, section := range []string{"install", "global"} {
		for _, name := range []string{"index-url", "cert", "find-links", "proxy", "no-index"} {
			if value := sections[section][name]; value != "" {
				all = append(all, setting{name: pipNames[name], values: splitValues(pipNames[name], value), source: label})
			}
		}
	}
	return all
}

// parseINI reads sections of "name = value" or "name: value"; deeper lines go on
// with the value. Names are returned as pip compares them: in lower case, with
// hyphens, without leading ones.
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
