package manifest

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"text/template"
)

const (
	maxTemplate = 256 << 10 // bytes of a template
	maxOutput   = 4 << 20   // bytes that a template may render
	maxTurns    = 1_000_000 // iterations of all loops of a template
)

// renderFiles renders the templates of all files.
func (l *loader) renderFiles() {
	if l.list.Len() > 0 {
		return // the inputs of templates may be invalid
	}
	var inputs map[string]any
	for i := range l.m.Files {
		f := &l.m.Files[i]
		if f.Template == "" {
			continue
		}
		if inputs == nil {
			inputs = l.m.inputs()
		}
		inputs["values"], inputs["depth"] = f.values, strings.Count(f.Path, "/")
		l.render(f, inputs)
	}
}

// inputs returns the inputs of all templates: the project's name, its directories with
// their constants, and the names of the environments. renderFiles adds the values of a
// file, and its depth below the manifest. A template has no other input.
func (m *Manifest) inputs() map[string]any {
	list := make([]map[string]string, len(m.Directories))
	paths := make(map[string]string, len(m.Directories))
	for i := range m.Directories {
		d := &m.Directories[i]
		list[i] = map[string]string{"name": d.Name, "constant": d.Constant(), "path": d.Path, "purpose": d.Purpose}
		paths[d.Name] = d.Path
	}
	return map[string]any{"project": m.Project, "directories": list, "paths": paths, "environments": m.environmentNames()}
}

// render sets f.Content. Problems have positions in the template; a template that cannot
// be read is a problem of the manifest.
func (l *loader) render(f *File, inputs map[string]any) {
	text, p := readFile(l.fsys, f.Template, maxTemplate)
	if p != nil {
		l.problemAt(f.templatePos, "template", fmt.Sprintf("template %s %s", quote(f.Template), p.Summary), p.Found, "")
		return
	}
	t := source{file: f.Template, data: text}
	defer func() { l.list.AddErr(t.err()) }()
	if !t.scan() {
		return
	}
	tmpl, err := template.New(path.Base(f.Template)).Option("missingkey=error").Funcs(escapes()).Parse(string(text))
	if err != nil {
		t.templateError(err)
		return
	}
	r := rules{source: &t, suffix: path.Ext(f.Path), longest: l.longestList(f), escapes: escapes()}
	if !r.check(tmpl) {
		return
	}
	var out boundedBuilder
	if err := tmpl.Execute(&out, inputs); err != nil {
		t.templateError(err)
		return
	}
	f.Content = out.String()
}

// longestList returns the maximum number of iterations of one loop.
func (l *loader) longestList(f *File) int {
	longest := max(1, len(l.m.Directories), len(l.m.Environments), 4)
	for _, v := range f.values {
		if list, ok := v.([]any); ok {
			longest = max(longest, len(list))
		}
	}
	return longest
}

// templateError reports an error of text/template at its position.
func (s *source) templateError(err error) {
	if errors.Is(err, errTooLong) {
		s.problemAt(s.at(1, 1), "template", errTooLong.Error(), "", "")
		return
	}
	line, col, message := 1, 1, err.Error()
	if m := regexp.MustCompile(`^template: .*?:(\d+)(?::(\d+))?: (.*)$`).FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		if m[2] != "" {
			col, _ = strconv.Atoi(m[2])
			col++
		}
		message = m[3]
	}
	summary, hint := "", ""
	if m := regexp.MustCompile(`<([^>]*)>: map has no entry for key "(.*)"$`).FindStringSubmatch(message); m != nil {
		summary, hint = "a missing value: "+m[1], "templates have project, directories, paths, environments, depth and values"
	} else if m := regexp.MustCompile(`^function "(.*)" not defined$`).FindStringSubmatch(message); m != nil {
		summary, hint = "there is no function "+quote(m[1]), "use "+strings.Join(escapeNames, ", ")
	} else {
		summary = printable(strings.TrimRight(regexp.MustCompile(`^executing ".*?" at <.*?>: `).ReplaceAllString(message, ""), ". "))
	}
	s.problemAt(s.at(line, max(col, 1)), "template", summary, "", hint)
}

// A boundedBuilder refuses more than maxOutput bytes.
type boundedBuilder struct{ strings.Builder }

var errTooLong = errors.New("the template renders more than 4 MiB")

func (b *boundedBuilder) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		return 0, errTooLong
	}
	return b.Builder.Write(p)
}
