package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/explain"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/python"
)

// several returns a manifest with these environments, each a name and further keys. All are
// locked for Linux alone, unless a key says otherwise.
func several(envs ...string) string {
	text := head + "environments:\n"
	for _, e := range envs {
		name, keys, _ := strings.Cut(e, " ")
		if !strings.Contains(keys, "platforms") {
			keys = strings.TrimSuffix("platforms: [linux-x86_64], "+keys, ", ")
		}
		text += fmt.Sprintf("  %[1]s: {type: venv, python: \"3.10\", packages: [], path: .venv-%[1]s, lock: %[1]s.toml, %[2]s}\n", name, keys)
	}
	return text
}

// TestSelectSeveral checks the environment and the environments that a machine with several has.
func TestSelectSeveral(t *testing.T) {
	const gpu, everywhere, isDefault = "match: {gpu: nvidia}", "match: {gpu: [none, nvidia]}", "default: true"
	for _, c := range []struct {
		name     string
		manifest string
		one      string // or the code of the problem
		all      string
	}{
		{"a single one without match", several("a"), "a", "a"},
		{"a single one without match, for other platforms", several("a platforms: [macos-arm64]"), "a", "a"},
		{"none with match", several("a", "b"), "environment.ambiguous", "a b"},
		{"none with match, and a default", several("a", "b "+isDefault), "b", "a b"},
		{"none with match, for several platforms", several("a platforms: [macos-arm64]", "b"), "b", "b"},
		{"one with match", several("a", "b "+gpu), "b", "b"},
		{"one that matches, and a default without match", several("a "+isDefault, "b "+gpu), "b", "b"},
		{"one that does not match, and a default without match", several("a "+isDefault, "b match: {os: macos}"), "a", "a"},
		{"a default that does not match", several("a match: {os: macos}, "+isDefault, "b "+gpu), "b", "b"},
		{"several that match", several("a "+everywhere, "b "+gpu, "c"), "environment.ambiguous", "a b"},
		{"several that match, and a default", several("a "+everywhere, "b "+gpu+", "+isDefault, "c"), "b", "a b"},
		{"two defaults", several("a "+everywhere+", "+isDefault, "b "+gpu+", "+isDefault), "environment.ambiguous", "a b"},
		{"none that matches", several("a match: {os: macos}", "b"), "environment.none", "environment.none"},
		{"the host's", several("a "+everywhere, "b", "c "+gpu) + "hosts: {gpu1: {env: b}}\n", "b", "a b c"},
	} {
		m := load(t, c.manifest)
		env, err := m.Select(gpu1)
		got := problemCode(err)
		if env != nil {
			got = env.Name
		}
		if got != c.one {
			t.Errorf("%s: Select returns %s, want %s: %v", c.name, got, c.one, err)
		}
		list, err := m.SelectAll(gpu1)
		var names []string
		for _, e := range list {
			names = append(names, e.Name)
		}
		if got := problemCode(err) + strings.Join(names, " "); got != c.all {
			t.Errorf("%s: SelectAll returns %q, want %q", c.name, got, c.all)
		}
	}
}

func problemCode(err error) string {
	if problems := diag.Problems(err); len(problems) > 0 {
		return problems[0].Code
	}
	return ""
}

// TestTwoDefaults checks that the problem has the positions of both.
func TestTwoDefaults(t *testing.T) {
	m := load(t, several("a match: {os: linux}, default: true", "b", "c match: {gpu: nvidia}, default: true"))
	_, err := m.Select(gpu1)
	p := diag.Problems(err)[0]
	if p.Pos.Line != m.Environments[2].Pos.Line || !strings.Contains(p.Found, m.Environments[0].Pos.String()) || !strings.Contains(p.Hint, "default: true") {
		t.Error(err)
	}
}

// TestResourcesOfSeveral checks that what several environments need is declared once, and that
// the requirements of each are checked.
func TestResourcesOfSeveral(t *testing.T) {
	m := load(t, several("a cuda: {minimum: \"12.1\"}", "b", "c gpu: {count: 1}")+
		"models:\n  - {repo: o/all, revision: "+strings.Repeat("a", 40)+"}\n  - {repo: o/b, revision: "+strings.Repeat("b", 40)+", environments: [b]}\n  - {repo: o/d, revision: "+strings.Repeat("b", 40)+", environments: [c]}\n"+
		"directories: {models: {path: models}}\n")
	list, err := m.Resources(gpu1, m.Environments[:2])
	if err != nil {
		t.Fatal(err)
	}
	want := "directory.models model.o/all model.o/b cuda.a python.3.10 venv.a venv.b"
	if got := addresses(list); got != want {
		t.Errorf("resources: %s\nwant: %s", got, want)
	}
}

// TestInterpreterOfSeveral checks that a Python which only runs a helper of one environment is
// required exactly if it is the Python of another.
func TestInterpreterOfSeveral(t *testing.T) {
	conda := head + "environments:\n  a: {type: conda, python: \"3.12\", packages: [], lock: a.toml, platforms: [linux-x86_64], channels: [c]}\n" +
		"  b: {type: venv, python: \"3.10\", packages: [], path: .venv, lock: b.toml, platforms: [linux-x86_64]}\n"
	m := load(t, conda)
	alone, err := m.Resources(gpu1, m.Environments[1:])
	if err != nil {
		t.Fatal(err)
	}
	both, err := m.Resources(gpu1, m.Environments)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := pythons(both), pythons(alone); got != want || got == "" {
		t.Errorf("interpreters of both: %s, of the venv alone: %s", got, want)
	}
}

// pythons describes the interpreters among resources.
func pythons(list []resources.Resource) string {
	text := ""
	for _, r := range list {
		if s, ok := r.Spec.(*python.Spec); ok {
			text += fmt.Sprintf("%s or %q unless %q;", s.Minor, s.Or, s.Unless)
		}
	}
	return text
}

// TestDirectoriesOfSeveral checks that environments with different paths for a directory are
// refused together, unless the host decides.
func TestDirectoriesOfSeveral(t *testing.T) {
	const dirs = "directories: {data: {path: data}}\n"
	for name, c := range map[string]struct {
		manifest string
		code     string
	}{
		"different":         {several("a directories: {data: {path: d1}}", "b directories: {data: {path: d2}}") + dirs, "environment.directories"},
		"one common":        {several("a directories: {data: {path: d1}}", "b") + dirs, "environment.directories"},
		"the same":          {several("a directories: {data: {path: d1}}", "b directories: {data: {path: d1}}") + dirs, ""},
		"the host's for it": {several("a directories: {data: {path: d1}}", "b") + dirs + "hosts: {gpu1: {directories: {data: {path: d3}}}}\n", ""},
	} {
		m := load(t, c.manifest)
		_, err := m.Resources(gpu1, m.Environments)
		if got := problemCode(err); got != c.code {
			t.Errorf("%s: %q, want %q: %v", name, got, c.code, err)
		}
		if c.code != "" && (explain.Codes()[c.code].Means == "" || !strings.Contains(err.Error(), m.Environments[0].Places[0].Pos.String())) {
			t.Errorf("%s: not explained, or without the first position: %v", name, err)
		}
		for _, e := range m.Environments {
			if _, err := m.Resources(gpu1, []*manifest.Environment{e}); err != nil {
				t.Errorf("%s: %s alone: %v", name, e.Name, err)
			}
		}
	}
}
