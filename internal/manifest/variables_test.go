package manifest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
)

// TestVariablesOfModels sets the cache of hf-xet where the locked huggingface_hub uses it.
func TestVariablesOfModels(t *testing.T) {
	const text = head + `directories: {models: {path: big/models}}
models: [{repo: a/b, revision: 0e9e39f249a16976918f6564b8830bc894c89659, environments: [train]}]
environments:
  train: {python: "3.10", lock: l.toml, platforms: [linux-x86_64], packages: [huggingface-hub]}
  other: {python: "3.10", lock: other.toml, platforms: [linux-x86_64], packages: [huggingface-hub], path: .other}
`
	for _, c := range []struct{ locked, environment, want string }{
		{"hf-xet", "train", "[{HF_HUB_CACHE big/models} {HF_XET_CACHE big/models/.xet}]"},
		{"requests", "train", "[{HF_HUB_CACHE big/models}]"},
		{"", "train", "[{HF_HUB_CACHE big/models}]"},
		{"hf-xet", "other", "[]"},
	} {
		files := fstest.MapFS{"manifest.yaml": {Data: []byte(text)}}
		if c.locked != "" {
			wheel := func(name string) []lock.Wheel {
				return []lock.Wheel{{File: name + "-1.0-py3-none-any.whl", Size: 1, SHA256: facts.SHA256{1}}}
			}
			l := lock.Lock{
				RequiresPython: ">=3.10,<3.11", Platforms: []string{"linux-x86_64"}, Requests: []string{"huggingface-hub"},
				Packages: []lock.Package{{Name: "huggingface-hub", Version: "1.0", Wheels: wheel("huggingface_hub")}, {Name: c.locked, Version: "1.0", Wheels: wheel(strings.ReplaceAll(c.locked, "-", "_"))}},
			}
			files["l.toml"], files["other.toml"] = &fstest.MapFile{Data: l.Encode()}, &fstest.MapFile{Data: l.Encode()}
		}
		m, err := manifest.Load(files, "manifest.yaml")
		if err != nil {
			t.Fatal(err)
		}
		env, err := m.Named(c.environment)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(m.Variables(env)); got != c.want {
			t.Errorf("%s with %q locked: %s, want %s", c.environment, c.locked, got, c.want)
		}
	}
}
