package manifest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/golden"
)

const referenceHead = `# The manifest

Every key of ` + "`manifest.yaml`" + `, in the order of the file. This page is generated from the same
descriptions as [the schema for editors](schema/manifest.v1.json). The manifest of this
repository, [manifest.yaml](../manifest.yaml), is a larger example. Words are explained in
[the glossary](glossary.md).

Values are read as written: ` + "`python: 3.10`" + ` is 3.10, quoted or not. Unknown and duplicate
keys, anchors, aliases, tags and merge keys are errors, and so is a value in the wrong form. All
errors are reported in one run, each with its position. No value of a manifest is passed to a
shell. An error code in brackets, such as ` + "`manifest.path`" + `, is explained by
` + "`reconcile explain CODE`" + ` and [the page of codes](troubleshooting.md).

| form | meaning |
|---|---|
| name | lower-case letters, digits and ` + "`- _ .`" + ` between them, beginning with a letter, at most 64 characters. Names of directories and template values have only ` + "`_`" + ` |
| text | one line of at most 1000 bytes, without tabs |
| size | a number and a unit: 30GB is 30·10^9 bytes, 1.5GiB is 1.5·2^30. B, kB, MB, GB, TB, PB and KiB, MiB, GiB, TiB, PiB |
| path | relative to the manifest and below it, in its shortest form: ` + "`data/raw`" + `, not ` + "`./data/raw/`" + `. No ` + "`..`, `~`" + ` or backslash, and no path in .git |
| mode | three octal digits, quoted or not: ` + "`0644`" + ` |
| version | one version, such as 2.1.0; for packages also a range, such as ">=2.1,<3" |

## Editors

The first line of a manifest names the schema for editors:

` + "```yaml" + `
# yaml-language-server: $schema=docs/schema/manifest.v1.json
` + "```" + `

In your own project, ` + "`reconcile schema > manifest.schema.json`" + ` writes it. Name that file in
the line. VS Code needs the extension YAML of Red Hat, other editors yaml-language-server.
In PyCharm, set the file under Settings, Languages & Frameworks, Schemas and DTDs. Problems
that involve two values, another section or another file are found only by ` + "`reconcile validate`" + `.
`

// TestReference checks docs/manifest.md against the descriptions. Its examples are those of
// testdata/reference.yaml.
func TestReference(t *testing.T) {
	text, _ := reference(t)
	var b strings.Builder
	b.WriteString(referenceHead)
	root := describe()
	fmt.Fprintf(&b, "\n## %s\n\n%s\n\n%s", root.title, root.doc, table(root))
	done := []string{root.title}
	for _, k := range root.keys {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n```yaml\n%s```\n", k.name, k.doc, section(t, string(text), k.name))
		if k.form.object != nil {
			below(&b, k.form.object, &done)
		}
	}
	golden.Check(t, "../../docs/manifest.md", []byte(b.String()))
}

// below writes the table of an object, and those of the objects in it.
func below(b *strings.Builder, o *object, done *[]string) {
	if slices.Contains(*done, o.title) {
		return
	}
	*done = append(*done, o.title)
	if strings.ContainsAny(o.title, ".[") { // else the section has that heading already
		fmt.Fprintf(b, "\n### %s\n", o.title)
	}
	fmt.Fprintf(b, "\n%s\n\n%s", o.doc, table(o))
	for _, k := range o.keys {
		if k.form.object != nil {
			below(b, k.form.object, done)
		}
	}
}

// table returns the table of the keys of an object.
func table(o *object) string {
	var b strings.Builder
	b.WriteString("| key | form | required | default | meaning |\n|---|---|---|---|---|\n")
	for i, k := range o.keys {
		form := k.form.word
		if of := k.form.object; of != nil {
			form = strings.TrimSuffix(form, "mapping") + "[" + of.title + "](#" + anchor(of.title) + ")"
		}
		required, absent, doc := requiredWhere(o, k.name), "", k.doc
		if o.required(i) {
			required = "yes"
		}
		if k.absent != nil {
			absent = "`" + inline(k.absent) + "`"
		}
		if k.example != nil && k.form.object == nil {
			doc += " Example: `" + inline(k.example) + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.name, form, required, absent, strings.ReplaceAll(doc, "|", `\|`))
	}
	return b.String()
}

// requiredWhere returns where a key is required: "yes" for
// all types, "for `venv`" for one, or "".
func requiredWhere(o *object, name string) string {
	var words []string
	alternatives := 0
	for _, rule := range o.rules {
		if rule.name != "allOf" {
			continue
		}
		for _, conditional := range rule.value.([]members) {
			properties := conditional[0].value.(members)[0].value.(members)
			values, ok := properties[0].value.(members)
			if !ok || values[0].name != "const" {
				continue
			}
			is := values[0]
			alternatives++
			for _, m := range conditional[1].value.(members) {
				if m.name == "required" && slices.Contains(m.value.([]string), name) {
					words = append(words, "`"+is.value.(string)+"`")
				}
			}
		}
	}
	switch {
	case len(words) == 0:
		return ""
	case len(words) == alternatives:
		return "yes"
	}
	return "for " + strings.Join(words, ", ")
}

// anchor returns the anchor of a heading on GitHub.
func anchor(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case strings.ContainsRune(".[]", r):
			return -1
		}
		return r
	}, strings.ToLower(title))
}

// inline returns a value as one line of YAML.
func inline(v any) string {
	text, err := json.Marshal(v)
	if s, ok := v.(string); ok && err == nil {
		if value, _ := parsed([]byte(s)); value == any(s) {
			return s // without quotes
		}
		return string(text)
	}
	return strings.NewReplacer(`",`, `, `, `"`, ``, `:`, `: `).Replace(string(text))
}

// section returns a section of a manifest.
func section(t *testing.T, text, key string) string {
	_, after, ok := strings.Cut("\n"+text, "\n"+key+":")
	if !ok {
		t.Fatalf("the reference has no section %s", key)
	}
	end := 0
	for line := range strings.Lines(after) {
		if end > 0 && line[0] != ' ' && line[0] != '\n' && line[0] != '#' {
			break
		}
		end += len(line)
	}
	return key + ":" + strings.TrimRight(after[:end], "\n") + "\n"
}

// TestReferenceUsesEveryKey checks that the reference uses every key.
func TestReferenceUsesEveryKey(t *testing.T) {
	_, doc := reference(t)
	used := map[string]bool{}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		for i, child := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 {
				used[child.Value] = true
			}
			walk(child)
		}
	}
	walk(&doc)
	for _, o := range objects() {
		for _, k := range o.keys {
			if !used[k.name] {
				t.Errorf("testdata/reference.yaml does not use %s.%s", o.title, k.name)
			}
		}
	}
}
