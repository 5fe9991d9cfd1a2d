package manifest

import (
	"path"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// templateDir is the folder beside the manifest in which templates lie.
const templateDir = "templates"

// maxContent is the largest file that can be managed, as that of kind file.
const maxContent = 64 << 20

// A File is one file with its whole content.
type File struct {
	Path     string
	Content  string // given inline, or rendered
	Template string // path of the template, "" where the content is inline
	Mode     facts.Mode
	Protect  bool
	Pos      diag.Pos

	values               map[string]any
	pathPos, templatePos diag.Pos
}

var fileShape = shape{"a file", []string{"path", "template", "content", "values", "mode", "protect"}, 1}

func (l *loader) files(n *yaml.Node) {
	items := l.items(n, "files")
	l.m.Files = make([]File, 0, len(items))
	for _, item := range items {
		var v [6]*yaml.Node
		if !l.object(item, &fileShape, v[:]) || v[0] == nil {
			continue
		}
		f := File{Pos: l.at(item), pathPos: l.at(v[0])}
		f.Path, _ = l.placed(v[0], "path")
		switch {
		case v[1] != nil && v[2] != nil:
			l.problem(item, "value", "a file has both template and content", "", "remove one of them")
		case v[1] != nil:
			f.Template, f.templatePos = l.template(v[1]), l.at(v[1])
		case v[2] != nil:
			f.Content = l.content(v[2])
		default:
			l.problem(item, "missing-key", "a file has neither template nor content", "", "add template: NAME.tmpl or content: |")
		}
		f.values = l.values(v[3])
		if v[3] != nil && v[1] == nil {
			l.problem(v[3], "value", "values are for templates", "", "remove them, or use a template")
		}
		if v[4] != nil {
			f.Mode = l.mode(v[4])
		}
		f.Protect = v[5] != nil && l.boolean(v[5], "protect")
		if f.Path != "" {
			l.m.Files = append(l.m.Files, f)
		}
	}
}

// content reads the bytes of a file as they will be written.
func (l *loader) content(n *yaml.Node) string {
	v, ok := l.scalar(n, "content")
	if ok && len(v) > maxContent {
		l.problem(n, "text", "content is larger than 64 MiB", "", "")
	}
	return v
}

// template reads the name of a template, and returns its path.
func (l *loader) template(n *yaml.Node) string {
	name := l.path(n, "template")
	switch {
	case name == "":
		return ""
	case strings.HasPrefix(name, "/"):
		l.problem(n, "path", "a template lies in the folder "+templateDir+" beside the manifest", quote(name), "write its path below that folder")
		return ""
	case !strings.HasSuffix(name, ".tmpl"):
		l.problem(n, "value", "the name of a template ends in .tmpl", quote(name), "rename it to "+path.Base(name)+".tmpl")
		return ""
	}
	return path.Join(path.Dir(l.file), templateDir, name)
}

// values reads what a template is given beside the project's own names: texts,
// numbers, true and false, and lists of them.
func (l *loader) values(n *yaml.Node) map[string]any {
	values := map[string]any{}
	l.entries(n, "values", func(key, value *yaml.Node) {
		if !l.name(key, "a value", isSnake, snakeRule) {
			return
		}
		if value.Kind != yaml.SequenceNode {
			values[key.Value] = l.value(value)
			return
		}
		list := make([]any, len(value.Content))
		for i, item := range value.Content {
			list[i] = l.value(item)
		}
		values[key.Value] = list
	})
	return values
}

// A number is a number as the manifest writes it.
type number string

// value reads one value for a template. Plain numbers, true and false are what
// they look like where JSON knows them; all else is text.
func (l *loader) value(n *yaml.Node) any {
	v, ok := l.scalar(n, "a value")
	switch {
	case !ok || n.Style != 0:
	case v == "true" || v == "false":
		return v == "true"
	case isJSONNumber(v):
		return number(v)
	}
	return v
}
