package manifest

import (
	"path"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// templateDir is the folder of templates, beside the manifest.
const templateDir = "templates"

// maxContent is the maximum size of a managed file in bytes, as for kind file.
const maxContent = 64 << 20

// A File is a file with its whole content.
type File struct {
	Path     string
	Content  string // given inline, or rendered
	Template string // path of the template, "" if the content is inline
	Mode     facts.Mode
	Protect  bool
	Pos      diag.Pos

	values               map[string]any
	pathPos, templatePos diag.Pos
}

var fileShape = shape{what: "a file", keys: []string{"path", "template", "content", "values", "mode", "protect"}, required: 1}

func (l *loader) files(v value) {
	for item := range v.items("a file") {
		if l.m.Files == nil {
			l.m.Files = make([]File, 0, len(v.node.Content))
		}
		f, ok := item.object(&fileShape)
		if !ok || !f.get("path").given() {
			continue
		}
		file := File{Pos: item.pos()}
		file.Path, file.pathPos = f.get("path").innerPath()
		template, content, values := f.get("template"), f.get("content"), f.get("values")
		switch {
		case template.given() && content.given():
			item.problem("value", "a file has both template and content", "", "remove one of them")
		case template.given():
			file.Template, file.templatePos = l.template(template), template.pos()
		case content.given():
			if file.Content, _ = content.scalar(); len(file.Content) > maxContent {
				content.problem("text", "content is larger than 64 MiB", "", "")
			}
		default:
			item.problem("missing-key", "a file has neither template nor content", "", "add template: NAME.tmpl or content: |")
		}
		file.values = readTemplateValues(values)
		if values.given() && !template.given() {
			values.problem("value", "only templates use values", "", "remove them, or use a template")
		}
		file.Mode = f.get("mode").mode()
		file.Protect = f.get("protect").boolean()
		if file.Path != "" {
			l.m.Files = append(l.m.Files, file)
		}
	}
}

// template reads the name of a template, and returns its path.
func (l *loader) template(v value) string {
	name, _ := v.path()
	switch {
	case name == "":
		return ""
	case strings.HasPrefix(name, "/"):
		v.problem("path", "a template must be in the folder "+templateDir+" beside the manifest", quote(name), "write its path relative to that folder")
		return ""
	case !strings.HasSuffix(name, ".tmpl"):
		v.problem("value", "the name of a template must end in .tmpl", quote(name), "rename it to "+path.Base(name)+".tmpl")
		return ""
	}
	return path.Join(path.Dir(l.file), templateDir, name)
}

// readTemplateValues reads the values of a template: texts, numbers, booleans, and lists
// of them.
func readTemplateValues(v value) map[string]any {
	values := map[string]any{}
	for key, val := range v.entries() {
		name, ok := key.snake("a value")
		switch {
		case !ok:
		case val.node.Kind != yaml.SequenceNode:
			values[name] = val.templateValue()
		default:
			list := make([]any, 0, len(val.node.Content))
			for item := range val.items("a value") {
				list = append(list, item.templateValue())
			}
			values[name] = list
		}
	}
	return values
}

// A number is a number as the manifest writes it.
type number string

// templateValue reads a plain boolean, a plain number that is valid JSON, or a text.
func (v value) templateValue() any {
	s, ok := v.named("a value").scalar()
	switch {
	case !ok || v.node.Style != 0:
	case s == "true" || s == "false":
		return s == "true"
	case isJSONNumber(s):
		return number(s)
	}
	return s
}
