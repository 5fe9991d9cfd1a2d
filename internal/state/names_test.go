package state

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// TestHostileNamesAreDamage writes journals with valid checksums whose paths and names lead
// out of the project or out of the state, and checks that none of them is read.
func TestHostileNamesAreDamage(t *testing.T) {
	file, venv := resources.Addr{Kind: "file", Name: "a"}, resources.Addr{Kind: "venv", Name: "local"}
	environment := facts.EnvironmentKey("local")
	done := func(a resources.Addr, k facts.Key, left string) *line {
		return &line{Kind: kindDone, Done: []Entry{{Addr: a, Key: k, Ownership: Created, Left: Left{Path: left}}}}
	}
	begun := func(k facts.Key, left string) *line {
		return &line{Kind: kindIntent, Intents: []Intent{{Addr: file, Key: k, Makes: []Left{{Path: left}}}}}
	}
	for name, c := range map[string]struct {
		line    *line
		invalid bool
	}{
		"inside":                    {done(file, facts.PathKey("data/a"), "data/a"), false},
		"absolute":                  {done(file, facts.PathKey("/data/a"), "/data/a"), false}, // the manifest decides
		"environment":               {done(venv, environment, ".venv"), false},
		"intent inside":             {begun(facts.PathKey("a"), "a"), false},
		"switch":                    {&line{Kind: kindSwitched, Switched: []Switch{{Environment: "local", To: "7c1f"}}}, false},
		"key above":                 {done(file, facts.PathKey("../a"), ""), true},
		"path above":                {done(file, facts.PathKey("a"), "../a"), true},
		"not in the shortest form":  {done(file, facts.PathKey("a"), "data/../../a"), true},
		"absolute, not shortest":    {done(file, facts.PathKey("a"), "/tmp/../etc/a"), true},
		"the root":                  {done(file, facts.PathKey("a"), "/"), true},
		"the project":               {done(file, facts.PathKey("a"), "."), true},
		"NUL":                       {done(file, facts.PathKey("a"), "a\x00b"), true},
		"environment above":         {done(resources.Addr{Kind: "venv", Name: "../../other/envs/local"}, environment, ".venv"), true},
		"conda above":               {done(resources.Addr{Kind: "conda", Name: ".."}, facts.PathKey("a"), "a"), true},
		"key of an environment":     {done(file, facts.EnvironmentKey("../x"), ""), true},
		"intent above":              {begun(facts.PathKey("a"), "../../a"), true},
		"key of an intent":          {begun(facts.PathKey("../a"), "a"), true},
		"generation above":          {&line{Kind: kindSwitched, Switched: []Switch{{Environment: "local", To: "../../x"}}}, true},
		"environment of a switch":   {&line{Kind: kindSwitched, Switched: []Switch{{Environment: "../x", To: "7c1f"}}}, true},
		"previous generation above": {&line{Kind: kindSwitched, Switched: []Switch{{Environment: "local", From: "/x", To: "7c1f"}}}, true},
	} {
		path := filepath.Join(t.TempDir(), "state.jsonl")
		j, err := Open(path, clock)
		check(t, err)
		l := c.line
		l.Seq, l.Lineage = j.Serial+1, j.Lineage
		text, _, err := l.encode(j.last)
		check(t, err)
		_, err = j.file.Write(text)
		check(t, err)
		check(t, j.Close())
		_, err = Read(path)
		if (err != nil) != c.invalid || err != nil && !strings.Contains(err.Error(), "is not the") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
