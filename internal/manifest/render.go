package manifest

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

const (
	maxTemplate = 256 << 10 // bytes of a template
	maxOutput   = 4 << 20   // bytes that a template may render
	maxTurns    = 1_000_000 // of all loops of a template together
)

// renderFiles renders the templates of all files.
func (l *loader) renderFiles() {
	if l.list.Len() > 0 {
		return // what templates are given is not sound
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

// inputs are what every template can see: the project's name, its directories
// with the names of their constants, and the environments; render adds the values of
// the file and how many folders below the manifest it lies (depth). Nothing else: no
// environment, no file, no clock.
func (m *Manifest) inputs() map[string]any {
	list := make([]map[string]string, len(m.Directories))
	paths := make(map[string]string, len(m.Directories))
	for i := range m.Directories {
		d := &m.Directories[i]
		list[i] = map[string]string{"name": d.Name, "constant": d.Constant(), "path": d.Path, "purpose": d.Purpose}
		paths[d.Name] = d.Path
	}
	environments := make([]string, len(m.Environments))
	for i, e := range m.Environments {
		environments[i] = e.Name
	}
	return map[string]any{"project": m.Project, "directories": list, "paths": paths, "environments": environments}
}

// render fills f.Content. Problems are placed in the template, or where there is
// none, at the line of the manifest that names it.
func (l *loader) render(f *File, inputs map[string]any) {
	text, p := readFile(l.fsys, f.Template, maxTemplate)
	if p != nil {
		l.report(f.templatePos.Line, f.templatePos.Col, diag.Problem{
			Code: "manifest.template", Summary: fmt.Sprintf("template %s %s", quote(f.Template), p.Summary), Found: p.Found,
		})
		return
	}
	t := source{file: f.Template, data: text}
	defer func() { l.list.AddErr(t.err()) }()
	if !t.scan() {
		return
	}
	tmpl, err := template.New(path.Base(f.Template)).Option("missingkey=error").Funcs(escapes).Parse(string(text))
	if err != nil {
		t.templateError(err)
		return
	}
	r := rules{source: &t, suffix: path.Ext(f.Path), longest: l.longestList(f)}
	if !r.check(tmpl) {
		return
	}
	out := &bounded{limit: maxOutput}
	if err := tmpl.Execute(out, inputs); err != nil {
		t.templateError(err)
		return
	}
	f.Content = out.String()
}

// longestList returns the most turns that one loop can take.
func (l *loader) longestList(f *File) int {
	longest := max(1, len(l.m.Directories), len(l.m.Environments), 4)
	for _, v := range f.values {
		if list, ok := v.([]any); ok {
			longest = max(longest, len(list))
		}
	}
	return longest
}

// templateError reports an error of text/template at its place.
func (s *source) templateError(err error) {
	var tooLong tooLongError
	if errors.As(err, &tooLong) {
		s.report(1, 1, diag.Problem{Code: "manifest.template", Summary: tooLong.Error()})
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
	p := diag.Problem{Code: "manifest.template"}
	if m := regexp.MustCompile(`<([^>]*)>: map has no entry for key "(.*)"$`).FindStringSubmatch(message); m != nil {
		p.Summary = "a missing value: " + m[1]
		p.Hint = "templates see project, directories, paths, environments, depth, and the values of their own entry"
	} else if m := regexp.MustCompile(`^function "(.*)" not defined$`).FindStringSubmatch(message); m != nil {
		p.Summary = "there is no function " + quote(m[1])
		p.Hint = "use " + strings.Join(escapeNames, ", ")
	} else {
		p.Summary = printable(regexp.MustCompile(`^executing ".*?" at <.*?>: `).ReplaceAllString(message, ""))
	}
	s.report(line, max(col, 1), p)
}

// bounded is a writer that refuses to become too long.
type bounded struct {
	strings.Builder
	limit int
}

type tooLongError int

func (e tooLongError) Error() string {
	return fmt.Sprintf("the template renders more than %d MiB", int(e)>>20)
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.limit {
		return 0, tooLongError(b.limit)
	}
	return b.Builder.Write(p)
}
