package declared

import (
	"path"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// setuptools reads the setup.cfg and the setup.py of a directory, which setuptools joins. It
// returns nil if neither exists.
func (r *reader) setuptools(dir string) *sections {
	s := newSections()
	for _, name := range []string{setupCfg, setupPy} {
		file := path.Join(dir, name)
		if isAbsent(r.fsys, file) {
			continue
		}
		text, ok := r.text(file, diag.Pos{})
		if !ok {
			continue
		}
		if s.project == nil {
			s.project = &Project{Backend: "setuptools.build_meta:__legacy__", Installable: true, Pos: diag.Pos{File: file}}
		}
		if name == setupCfg {
			r.setupCfg(s, file, text)
		} else {
			r.setupPy(s, file, text)
		}
	}
	if s.project == nil {
		return nil
	}
	return s
}

// A cfgLine is a line of a value of setup.cfg.
type cfgLine struct {
	text string
	pos  diag.Pos
}

// setupCfg adds the requirements of a setup.cfg.
func (r *reader) setupCfg(s *sections, file, text string) {
	section, key := "", ""
	var value []cfgLine
	end := func() {
		if key != "" {
			r.cfgOption(s, section, key, value, file)
		}
		key, value = "", nil
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		bare := strings.TrimSpace(line)
		pos := diag.Pos{File: file, Line: n, Col: 1 + strings.Index(line, bare)}
		switch {
		case bare == "" || bare[0] == '#' || bare[0] == ';':
		case line[0] == ' ' || line[0] == '\t':
			value = append(value, cfgLine{bare, pos})
		case bare[0] == '[':
			end()
			section = strings.Trim(bare, "[]")
		default:
			end()
			i := strings.IndexAny(bare, "=:")
			if i < 0 {
				continue
			}
			key = strings.TrimSpace(bare[:i])
			if rest := strings.TrimSpace(bare[i+1:]); rest != "" {
				pos.Col += strings.LastIndex(bare, rest)
				value = []cfgLine{{rest, pos}}
			}
		}
	}
	end()
}

// cfgOption reads one option of a setup.cfg.
func (r *reader) cfgOption(s *sections, section, key string, value []cfgLine, file string) {
	if len(value) == 0 || r.onlyMetadata && section != "metadata" {
		return
	}
	first := value[0]
	switch section + "." + strings.ReplaceAll(key, "-", "_") {
	case "metadata.name":
		s.project.Name, s.project.Pos = first.text, first.pos
	case "metadata.version":
		if pep.ValidVersion(first.text) {
			s.project.Version = first.text
		}
	case "options.python_requires":
		r.python(&node{kind: stringKind, text: first.text, pos: first.pos})
	case "options.install_requires":
		s.main = append(s.main, r.cfgRequirements(value, file)...)
	case "options.setup_requires":
		s.project.BuildRequires = r.cfgRequirements(value, file)
	default:
		if section == "options.extras_require" {
			s.extras[key] = func() []Requirement { return r.cfgRequirements(value, file) }
		}
	}
}

// cfgRequirements reads a list of requirements: one a line, or separated by semicolons if there
// is one line, or the files of file:.
func (r *reader) cfgRequirements(value []cfgLine, file string) (list []Requirement) {
	if files, ok := strings.CutPrefix(value[0].text, "file:"); ok {
		for named := range strings.SplitSeq(files, ",") {
			list = append(list, r.fromFile(strings.TrimSpace(named), value[0].pos, file)...)
		}
		return list
	}
	if len(value) == 1 && !strings.Contains(value[0].text, " ;") {
		parts := strings.Split(value[0].text, ";")
		if _, err := pep.ParseRequirement(value[0].text); err != nil || len(parts) > 1 && isRequirement(parts[1]) {
			value = splitLine(value[0], parts)
		}
	}
	for _, line := range value {
		if text := strings.TrimSpace(withoutComment(line.text)); text == "" {
			continue
		} else if q, ok := r.pep508(text, line.pos, file); ok {
			list = append(list, q)
		}
	}
	return list
}

func isRequirement(text string) bool {
	_, err := pep.ParseRequirement(text)
	return err == nil
}

func splitLine(line cfgLine, parts []string) (list []cfgLine) {
	for _, part := range parts {
		if strings.TrimSpace(part) != "" {
			list = append(list, cfgLine{strings.TrimSpace(part), line.pos})
		}
	}
	return list
}
