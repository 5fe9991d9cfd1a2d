package scan

import (
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// requirements reads requirements files as pip does, with those that they include.
type requirements struct {
	s       *scanner
	markers pep.MarkerEnvironment
	files   []string // read so far
	limits  map[string]asked
	into    *environment
}

// file reads one file; constraint says that it only narrows what others ask for.
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
	text, why, ok := r.s.text(name)
	if !ok {
		if why == "" {
			why = "it is named and not there"
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

// logicalLines joins continued lines and takes comments away.
func logicalLines(name, text string) func(yield func(string, place) bool) {
	return func(yield func(string, place) bool) {
		var joined strings.Builder
		start, number := 0, 0
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
			whole := strings.TrimSpace(withoutComment(joined.String()))
			joined.Reset()
			if whole != "" && !yield(whole, place{name, start}) {
				return
			}
		}
		if whole := strings.TrimSpace(withoutComment(joined.String())); whole != "" {
			yield(whole, place{name, start})
		}
	}
}

// withoutComment cuts a comment: # at the start or behind a blank.
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
		if r.limits == nil {
			r.limits = map[string]asked{}
		}
		if a := want(&req, at, r.markers); a.doubt == "" && len(r.limits) < maxPackages {
			r.limits[pep.Normalize(req.Name)] = a
		}
	case err == nil:
		r.into.pip.add(want(&req, at, r.markers))
	case strings.Contains(line, "://") || strings.ContainsAny(line, `/\`) || line == "." || strings.HasSuffix(line, ".whl"):
		r.into.remark(at, "a file or address; a lock holds files of the index alone")
	case strings.Contains(line, "${"):
		r.into.remark(at, "a variable of the environment, which is not read")
	default:
		r.into.remark(at, "no requirement that can be read")
	}
}

// includes are the options that name another file, and whether it is a constraint.
var includes = []struct {
	option     string
	constraint bool
}{{"-r", false}, {"--requirement", false}, {"-c", true}, {"--constraint", true}}

// option reads an option of the whole file. What it says of an index is never copied.
func (r *requirements) option(line string, at place, constraint bool) {
	word, value := line, ""
	if i := strings.IndexAny(line, " \t="); i >= 0 {
		word, value = line[:i], strings.Trim(line[i+1:], " \t=\"'")
	}
	if !strings.HasPrefix(word, "--") && len(word) > 2 { // -rother.txt
		word, value = word[:2], word[2:]+value
	}
	for _, o := range includes {
		if word != o.option {
			continue
		}
		if name, ok := beside(at.file, value); ok {
			r.file(name, o.constraint || constraint)
		} else {
			r.into.remark(at, "it includes what lies outside of this folder, which is not read")
		}
		return
	}
	switch word {
	case "-e", "--editable":
		r.into.remark(at, "an editable install; a lock holds files of the index alone")
	case "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--trusted-host", "--no-index":
		r.into.remark(at, word+" is not copied: a machine's own index belongs in .reconcile/local.yaml")
	case "--hash", "--require-hashes":
	case "--pre", "--no-binary", "--only-binary", "--prefer-binary", "--no-deps", "--use-feature", "--config-settings", "--global-option":
		r.into.remark(at, word+" has no place in a manifest")
	default:
		r.into.remark(at, "an option that is not read")
	}
}

// constrain gives open packages the version that a constraint has.
func (r *requirements) constrain() {
	for i := range r.into.pip.list {
		a := &r.into.pip.list[i]
		limit, ok := r.limits[pep.Normalize(a.name)]
		if !ok || a.version != "" || !strings.HasPrefix(a.doubt, "names no version") && !strings.HasPrefix(a.doubt, "says ") {
			continue
		}
		if _, pinned := r.into.pip.index[pep.Normalize(a.name)]; pinned {
			continue
		}
		a.version, a.doubt, a.at = limit.version, "", limit.at
		if r.into.pip.index == nil {
			r.into.pip.index = map[string]int{}
		}
		r.into.pip.index[pep.Normalize(a.name)] = i
	}
}

// requirementFiles lists the files of the folder that are read as environments.
func (s *scanner) requirementFiles() []string {
	var files []string
	for _, dir := range []string{".", "requirements"} {
		for _, name := range s.names(dir) {
			if strings.HasSuffix(name, ".txt") && (dir != "." || strings.HasPrefix(strings.ToLower(name), "requirements")) {
				files = append(files, path.Join(dir, name))
			}
		}
	}
	first := func(file string) int {
		return slices.Index([]string{"requirements/base.txt", "requirements/main.txt", "requirements.txt"}, file)
	}
	slices.SortStableFunc(files, func(a, b string) int { return first(b) - first(a) })
	return files
}

// environmentName is the name of the environment that a requirements file makes.
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
