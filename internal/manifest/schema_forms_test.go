package manifest

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

func isVersionOrRange(v string) bool {
	clauses, ok := pep.ParseClauses(v)
	return pep.ValidVersion(v) || ok && len(clauses) > 0
}

// TestFormsAgreeWithReader checks that the pattern of a form and the function of the
// reader agree on random texts made of significant pieces.
func TestFormsAgreeWithReader(t *testing.T) {
	isPath := func(v string) bool { summary, _ := pathProblem(v); return summary == "" }
	isSize := func(v string) bool {
		_, err := bytesize.Parse(v)
		return err == nil || strings.Contains(err.Error(), "whole number") || strings.Contains(err.Error(), "too large")
	}
	for name, c := range map[string]struct {
		form   form
		reads  func(string) bool
		valid  string
		pieces []string
	}{
		"slug":    {slugName(), isSlug, "a-b", []string{"a", "z9", "A", "-", "_", ".", "0", " ", "é", strings.Repeat("x", 62)}},
		"snake":   {snakeName(), isSnake, "a_b", []string{"a", "z9", "A", "-", "_", ".", "0", " ", "é", strings.Repeat("x", 62)}},
		"host":    {hostName(), isHostName, "gpu1", []string{"a", "Z", "9", "-", "_", ".", " ", strings.Repeat("x", 61)}},
		"package": {packageName(), func(v string) bool { return pep.ValidName(v) && len(v) <= 200 }, "ruamel.yaml", []string{"a", "Z", "9", "-", "_", ".", "[", "=", strings.Repeat("x", 99)}},
		"version": {packageVersion(), isVersionOrRange, "1!2.1.0rc1.post2.dev3+cu121", []string{"1", "0", "20", ".", "-", "_", "+", "!", "v", "V", "a", "RC", "rc", "c", "alpha", "preview", "post", "Rev", "r", "dev", "x", ".*", ">", "==", ", ", "1.0"}},
		"module":  {moduleName(), pep.ValidModule, "google.protobuf", []string{"a", "B", "_", "1", ".", "-", "import", "class", "google", "None"}},
		"path": {anyPath(), isPath, "/a/..b/.c d", []string{"a", "bc", ".", "..", "/", "~", "-", " ", `\`, "\t", ".git", ".GIT", "git",
			strings.Repeat("n", 254)}},
		"inner path":  {innerPath(), func(v string) bool { return isPath(v) && !strings.HasPrefix(v, "/") }, "a/b", []string{"a", ".", "..", "/", "~", "-", " ", ".git"}},
		"size":        {size(), isSize, "1.5 GiB", []string{"0", "1", "25", ".", " ", "B", "b", "kB", "K", "i", "GiB", "gb", "TB", "x", "-"}},
		"conda name":  {condaName(), lock.ValidCondaName, "_libgcc_mutex", []string{"a", "Z", "9", "-", "_", ".", "=", strings.Repeat("x", 64)}},
		"conda word":  {condaWord(), lock.ValidCondaWord, "h0_0", []string{"a", "Z", "9", "-", "_", ".", "=", "+", "!", strings.Repeat("x", 64)}},
		"digest":      {hexadecimal(4), func(v string) bool { return isHex(v, 4) }, "0af9", []string{"a", "f", "0", "9", "g", "A"}},
		"ssh host":    {sshHost(), isSSHHost, "user@host", []string{"a", "@", "-", ".", ":", "_", "/", " ", "9"}},
		"ssh path":    {sshPath(), func(v string) bool { return isSafe(v, "/._-") }, "/w/x", []string{"a", "/", "-", ".", "~", " "}},
		"file glob":   {globPattern(), func(v string) bool { return isSafe(v, "*?/._-") }, "original/*", []string{"a", "/", "*", "-", "?", "[", " "}},
		"model":       {modelRepo(), isRepo, "a/b", []string{"a", "B", "/", ".", "..", "-", "_", " "}},
		"interpreter": {pythonRelease(), isRelease, "3.10.21", []string{"3.", "10.", "21", "0", "09", "12345", "2", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(c.form.schema)
			if err != nil {
				t.Fatal(err)
			}
			schema := compile(t, text)
			if schema.Validate(c.valid) != nil || !c.reads(c.valid) {
				t.Errorf("%q is rejected", c.valid)
			}
			rapid.Check(t, func(t *rapid.T) {
				v := strings.Join(rapid.SliceOfN(rapid.SampledFrom(c.pieces), 0, 8).Draw(t, "pieces"), "")
				err, reads := schema.Validate(v), c.reads(v)
				if (err == nil) != reads {
					t.Fatalf("%q: valid for the reader: %v; error of the schema: %v", v, reads, err)
				}
			})
		})
	}
}
