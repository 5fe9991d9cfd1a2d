package manifest_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pelletier/go-toml/v2"
	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// hostile are values with a special meaning in some language.
var hostile = []string{
	"plain", "it's", `say "hi"`, `back\slash`, `\`, `\n`, "$HOME", "$(touch x)", "`touch x`", "${x}", "%s%n", "{{.project}}", "#{x}", "a # b", "- a", "a: b", "&a", "*a", "!x", "@x",
	"yes", "null", "~", "1e3", "0x10", "010", "'''", `"""`, `\"`, `\u0041`, `\x41`, "</script>", "grün", "日本語", "😀", "a;b", "a|b", "a&&b", "a>b", "!!", "=1+1", " blank ", "-rf", "--help", "//", "\u00a0", "'; import os", "\\N{DIGIT ONE}",
}

// render renders a template with each hostile value.
func render(t *testing.T, suffix, template string) []string {
	t.Helper()
	var b strings.Builder
	files := fstest.MapFS{"templates/t.tmpl": {Data: []byte(template)}}
	b.WriteString(head + "files:\n")
	for i, v := range hostile {
		fmt.Fprintf(&b, "  - {path: f%d%s, template: t.tmpl, values: {v: '%s', list: ['%s', 2, true]}}\n", i, suffix, strings.ReplaceAll(v, "'", "''"), strings.ReplaceAll(v, "'", "''"))
	}
	files["manifest.yaml"] = &fstest.MapFile{Data: []byte(b.String())}
	m, err := manifest.Load(files, "manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(hostile))
	for i := range out {
		out[i] = m.Files[i].Content
	}
	return out
}

// TestEscapes checks that a rendered value is read back as the
// same value in the language of the file.
func TestEscapes(t *testing.T) {
	type document struct {
		V    string `json:"v" yaml:"v" toml:"v"`
		List []any  `json:"list" yaml:"list" toml:"list"`
	}
	for _, c := range []struct {
		suffix, template string
		read             func([]byte, any) error
	}{
		{".json", `{"v": {{json .values.v}}, "list": {{json .values.list}}}`, json.Unmarshal},
		{".yaml", "v: {{yaml .values.v}}\nlist: {{yaml .values.list}} # {{comment .values.v}}\n", yaml.Unmarshal},
		{".toml", "v = {{toml .values.v}}\nlist = {{toml .values.list}} # {{comment .values.v}}\n", toml.Unmarshal},
	} {
		for i, text := range render(t, c.suffix, c.template) {
			var d document
			if err := c.read([]byte(text), &d); err != nil || d.V != hostile[i] || len(d.List) != 3 || d.List[0] != hostile[i] || d.List[2] != true {
				t.Errorf("%s: %q became %+v: %v\n%s", c.suffix, hostile[i], d, err, text)
			}
		}
	}
}

// TestShellAndPython reads the rendered values with sh and python3.
func TestShellAndPython(t *testing.T) {
	want := slices.Clone(hostile)
	for _, c := range []struct{ program, suffix, template string }{
		{"sh", ".sh", "printf '%s\\0' {{sh .values.v}} # {{comment .values.v}}\n"},
		{"python3", ".py", "import sys\nv, n = {{py .values.list}}[0:2] # {{comment .values.v}}\nsys.stdout.buffer.write(v.encode() + b'\\0' * (n - 1))\n"},
	} {
		program, err := exec.LookPath(c.program)
		if err != nil {
			t.Logf("skipped: no %s on this machine", c.program)
			continue
		}
		cmd := exec.Command(program)
		cmd.Stdin = strings.NewReader(strings.Join(render(t, c.suffix, c.template), "\n"))
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v\ngot  %q\nwant %q", c.program, err, got, want)
		}
	}
}
