package scan

import (
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// requirements reads requirements files like pip, with the files that they include.
type requirements struct {
	s       *scanner
	markers pep.MarkerEnvironment
	files   []string // read so far
	limits  map[string]pkg
	into    *environment
}

// file reads one file. A constraints file only limits the versions of other packages.
func (r *requirements) file(name string, constraint bool) {
	key := name
	if constraint {
		key += " -c"
	}
	if slices.Contains(r.files, key) {
		return
	}
	if len(r.files) >= maxFiles {
		r.s.unread(name, "one environment includes too many files")
		return
	}
	r.files = append(r.files, key)
	text, why, ok := r.s.readText(name)
	if !ok {
		if why == "" {
			why = "it does not exist"
		}
		r.s.unread(name, why)
		return
	}
	if !slices.Contains(r.s.result.Read, printable(name)) {
		r.s.read(name)
	}
	for line, at := range logicalLines(name, text) {
		r.line(line, at, constraint)
	}
}

// logicalLines joins continued lines and removes comments.
func logicalLines(name, text string) func(yield func(string, place) bool) {
	return func(yield func(string, place) bool) {
		var joined strings.Builder
		start, number := 0, 0
		end := func() bool {
			line := strings.TrimSpace(withoutComment(joined.String()))
			joined.Reset()
			return line == "" || yield(line, place{name, start})
		}
		for line := range strings.Lines(text) {
			number++
			line = strings.TrimRight(line, "\r\n")
			if joined.Len() == 0 {
				start = number
			}
			if rest, more := strings.CutSuffix(line, `\`); more && !strings.HasPrefix(strings.TrimSpace(line), "#") {
				joined.WriteString(rest + " ")
				continue
			}
			joined.WriteString(line)
			if !end() {
				return
			}
		}
		end()
	}
}

// withoutComment removes a comment: # at the start or after a space.
func withoutComment(line string) string {
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return line[:i]
		}
	}
	return line
}

// line reads one line: an option or a requirement.
func (r *requirements) line(line string, at place, constraint bool) {
	if line[0] == '-' {
		r.option(line, at, constraint)
		return
	}
	line, _, _ = strings.Cut(line, " --") // --hash and other options of this requirement
	line = strings.TrimSpace(line)
	req, err := pep.ParseRequirement(line)
	switch {
	case err == nil && constraint:
		if p := newPackage(&req, at, r.markers); p.why == "" && len(r.limits) < maxPackages {
			r.limits[pep.Normalize(req.Name)] = p
		}
	case err == nil:
		r.into.pip.add(newPackage(&req, at, r.markers))
	case strings.Contains(line, "://") || strings.ContainsAny(line, `/\`) || line == "." || strings.HasSuffix(line, ".whl"):
		r.into.remark(at, "a file or address; a lock has files of an index only")
	default:
		r.into.remark(at, "malformed requirement")
	}
}

// option reads an option of the file. Values of index options are never copied.
func (r *requirements) option(line string, at place, constraint bool) {
	word, value := line, ""
	if i := strings.IndexAny(line, " \t="); i >= 0 {
		word, value = line[:i], strings.Trim(line[i+1:], " \t=\"'")
	}
	if !strings.HasPrefix(word, "--") && len(word) > 2 { // -rother.txt
		word, value = word[:2], word[2:]+value
	}
	switch word {
	case "-r", "--requirement", "-c", "--constraint":
		if name, ok := beside(at.file, value); ok {
			r.file(name, constraint || word == "-c" || word == "--constraint")
		} else {
			r.into.remark(at, "it includes a file outside of this folder, which is not read")
		}
	case "-e", "--editable":
		r.into.remark(at, "an editable install; a lock has files of an index only")
	case "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--trusted-host", "--no-index":
		r.into.remark(at, word+" is not copied: the package index of a machine belongs in ~/.config/reconcile/config.yaml")
	case "--hash", "--require-hashes":
	default:
		r.into.remark(at, "an unsupported option")
	}
}

// requirementFiles returns the requirements files of the folder, the main one first.
func (s *scanner) requirementFiles() []string {
	var files []string
	for _, dir := range []string{".", "requirements"} {
		for _, e := range s.readDir(dir) {
			if strings.HasSuffix(e.Name(), ".txt") && (dir != "." || strings.HasPrefix(strings.ToLower(e.Name()), "requirements")) {
				files = append(files, path.Join(dir, e.Name()))
			}
		}
	}
	rank := func(file string) int {
		return slices.Index([]string{"requirements/base.txt", "requirements/main.txt", "requirements.txt"}, file)
	}
	slices.SortStableFunc(files, func(a, b string) int { return rank(b) - rank(a) })
	return files
}

// environmentName returns the name of the environment of a requirements file.
func environmentName(file string) string {
	stem := strings.TrimSuffix(path.Base(file), ".txt")
	if path.Dir(file) == "." {
		stem = strings.TrimLeft(stem[len("requirements"):], "-_. ")
	}
	if stem == "" {
		return "local"
	}
	return stem
}
