package wheels

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

const infoSuffix = ".dist-info"

// describe reads the metadata of an archive into an entry, and returns its RECORD.
func (a *archive) describe(e *Entry, name, version string) (record []byte, err error) {
	if e.InfoDir, err = a.infoDir(); err != nil {
		return nil, err
	}
	texts := map[string][]byte{"WHEEL": nil, "METADATA": nil, "RECORD": nil, "entry_points.txt": nil}
	for i := range a.files {
		m := &a.files[i]
		base, ok := strings.CutPrefix(m.Path, e.InfoDir+"/")
		if _, wanted := texts[base]; !ok || !wanted {
			continue
		}
		text, err := m.read()
		if err != nil {
			return nil, err
		}
		texts[base] = append([]byte{}, text...)
	}
	for _, base := range []string{"WHEEL", "METADATA", "RECORD"} {
		if texts[base] == nil {
			return nil, invalid("it has no %s/%s", e.InfoDir, base)
		}
	}
	if e.Pure, err = parseWheel(texts["WHEEL"]); err != nil {
		return nil, invalid("%s/WHEEL: %w", e.InfoDir, err)
	}
	e.Name, e.Version = pep.Normalize(header(texts["METADATA"], "Name")), header(texts["METADATA"], "Version")
	if err := e.checkID(name, version); err != nil {
		return nil, err
	}
	if e.Console, e.GUI, err = parseEntryPoints(texts["entry_points.txt"]); err != nil {
		return nil, invalid("%s/entry_points.txt: %w", e.InfoDir, err)
	}
	return texts["RECORD"], nil
}

// ReadMetadata returns the METADATA of a wheel that has no digest yet.
func ReadMetadata(name string) ([]byte, error) {
	f, err := rawfile.OpenFile(name, rawfile.NoFollow)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	a := &archive{name: name}
	if err := a.list(f, info.Size()); err != nil {
		return nil, err
	}
	dir, err := a.infoDir()
	if err != nil {
		return nil, err
	}
	for i := range a.files {
		if a.files[i].Path == dir+"/METADATA" {
			return a.files[i].read()
		}
	}
	return nil, invalid("it has no %s/METADATA", dir)
}

// infoDir returns the one directory for metadata at the top of the archive.
func (a *archive) infoDir() (string, error) {
	found := ""
	for i := range a.files {
		dir, _, ok := strings.Cut(a.files[i].Path, "/")
		if !ok || !strings.HasSuffix(dir, infoSuffix) || dir == found {
			continue
		}
		if found != "" {
			return "", invalid("it has the directories %q and %q", found, dir)
		}
		found = dir
	}
	if found == "" || found == infoSuffix {
		return "", invalid("it has no directory *%s", infoSuffix)
	}
	return found, nil
}

// checkID returns an error unless the entry is that version of that distribution.
func (e *Entry) checkID(name, version string) error {
	if e.Name != pep.Normalize(name) || !pep.SameVersion(e.Version, version) {
		return invalid("it contains %s %s, not %s %s", e.Name, e.Version, name, version)
	}
	return nil
}

// header returns the first value of a header in the format of e-mail.
func header(text []byte, key string) string {
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		k, value, ok := bytes.Cut(line, []byte(":"))
		if ok && line[0] != ' ' && line[0] != '\t' && bytes.EqualFold(bytes.TrimSpace(k), []byte(key)) {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

// parseWheel reads a WHEEL file. A later major version of the format is an error; a later
// minor version is compatible.
func parseWheel(text []byte) (pure bool, err error) {
	version := header(text, "Wheel-Version")
	major, minor, ok := strings.Cut(version, ".")
	if !ok || major == "" || minor == "" || strings.Trim(major+minor, "0123456789.") != "" {
		return false, fmt.Errorf("invalid Wheel-Version %q", version)
	}
	if major != "1" && major != "0" {
		return false, fmt.Errorf("Wheel-Version %s is not supported; the latest supported one is 1.x", version)
	}
	return strings.EqualFold(header(text, "Root-Is-Purelib"), "true"), nil
}

// parseEntryPoints reads the scripts of an entry_points.txt, which may be absent. Extras
// are ignored, as the specification demands.
//
// https://packaging.python.org/en/latest/specifications/entry-points/
func parseEntryPoints(text []byte) (console, gui []EntryPoint, err error) {
	section := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
			continue
		case line[0] == '[' && line[len(line)-1] == ']':
			section = line[1 : len(line)-1]
			continue
		case section != "console_scripts" && section != "gui_scripts":
			continue
		}
		p, err := parseEntryPoint(line)
		if err != nil {
			return nil, nil, err
		}
		list := &console
		if section == "gui_scripts" {
			list = &gui
		}
		if i := slices.IndexFunc(*list, func(q EntryPoint) bool { return q.Name == p.Name }); i >= 0 {
			(*list)[i] = p // the last one counts
			continue
		}
		*list = append(*list, p)
	}
	return console, gui, nil
}

func parseEntryPoint(line string) (EntryPoint, error) {
	name, value, ok := strings.Cut(line, "=")
	if !ok {
		return EntryPoint{}, fmt.Errorf("the line %.80q has no value", line)
	}
	reference, extras, hasExtras := strings.Cut(value, "[")
	if hasExtras && !strings.HasSuffix(strings.TrimSpace(extras), "]") {
		return EntryPoint{}, fmt.Errorf("the extras of %.80q do not end", line)
	}
	module, object, _ := strings.Cut(reference, ":")
	p := EntryPoint{Name: strings.TrimSpace(name), Module: strings.TrimSpace(module), Object: strings.TrimSpace(object)}
	return p, p.check()
}

// check returns an error for a script that is not a file in bin, or whose function is not
// one.
func (p EntryPoint) check() error {
	if err := checkScript(p.Name); err != nil {
		return err
	}
	if !isReference(p.Module) || !isReference(p.Object) {
		return fmt.Errorf("the script %.80q calls %.80q of the module %.80q", p.Name, p.Object, p.Module)
	}
	return nil
}

// isReference reports whether s is one or more identifiers joined by dots. A hyphen is
// permitted, as uv does.
func isReference(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune("_-.", r)
	})
}

// isInterpreter reports whether name is one of the interpreter, such as python3.10, in any
// case.
func isInterpreter(name string) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(name), "python")
	return ok && strings.Trim(rest, "0123456789.") == ""
}

// checkScript returns an error for a name that a script must not have: a path, or that of
// the interpreter.
func checkScript(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if strings.Contains(name, "/") {
		return fmt.Errorf("the script %.80q is not in one directory", name)
	}
	if isInterpreter(name) {
		return errors.New("the script " + name + " has the name of the interpreter")
	}
	return nil
}
