package manifest

import (
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// sorts replace every value of the reference, one at a time; probes also replace every
// scalar.
var (
	sorts  = []string{"{}", "[]", "{a: b}", "[a, a]", "null", "''", "true", "1", "word"}
	probes = []string{
		"' '", "True", "0", "-1", "22", "'22'", "70000", "3.10", "'3.10'", "'3.6'", "12.1", "'12'", "1e3", "0644", "'0444'", "420",
		"Word", "two words", "a-b", "a_b", "a/b", "../x", "/x/y", "/", ".", "x/", ".git/x", "-x",
		"1 GiB", "2GB-1GB", "1GB-2GB", "x.toml", "x.tmpl", "conda", "nvidia", "warn", "nodefaults",
		"'line\nline'", "'>=1.0'", "1.0.0", "2.1.0rc1", "https://user@example.org/x", "user@host", "directory.x",
	}
)

// TestSchemaAgreesWithReader changes the reference in thousands of ways, one at a
// time: other values, missing keys, unknown keys. Reader and schema
// must agree, except for the cases in disagreement.
func TestSchemaAgreesWithReader(t *testing.T) {
	if Racing {
		t.Skip("not concurrent, and ten times slower with the race detector")
	}
	_, doc := reference(t)
	schema := validator(t)
	cases, seenRefusals := 0, 0
	check := func(where, change string) {
		changed, err := yaml.Marshal(&doc)
		if err != nil {
			t.Fatal(err)
		}
		left := 10_000
		value, ok := seen(&doc, &left)
		if !ok {
			t.Fatalf("%s: %s is not YAML", where, change)
		}
		cases++
		codes, taken := refusals(changed), schema.Validate(value) == nil
		if !taken {
			seenRefusals++
		}
		if taken != (len(codes) == 0) && !disagreement(where, change, codes) {
			t.Errorf("%s: %s: valid for the schema: %v; problems of the reader: %v", where, change, taken, codes)
		}
	}
	check("", "nothing")
	change(doc.Content[0], "", map[string]bool{}, check)
	if cases < 4000 || seenRefusals < cases/2 {
		t.Errorf("only %d changes, of which the schema rejects %d", cases, seenRefusals)
	}
}

// change calls check for each change of a node and of all nodes below it, and undoes it.
// Of nodes with the same path of keys, only the first is changed.
func change(n *yaml.Node, where string, done map[string]bool, check func(where, change string)) {
	if done[where] {
		return
	}
	done[where] = true
	own := *n
	others := sorts
	if n.Kind == yaml.ScalarNode {
		others = slices.Concat(sorts, probes)
	}
	for _, other := range others {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(other), &doc); err != nil {
			panic(err)
		}
		*n = *doc.Content[0]
		check(where, other)
	}
	*n = own
	switch n.Kind {
	case yaml.MappingNode:
		n.Content = append(slices.Clone(own.Content), &yaml.Node{Kind: yaml.ScalarNode, Value: "no-such-key"}, &yaml.Node{Kind: yaml.ScalarNode, Value: "x"})
		check(where, "an unknown key")
		for i := 0; i < len(own.Content); i += 2 {
			n.Content = slices.Delete(slices.Clone(own.Content), i, i+2)
			check(where, "without "+own.Content[i].Value)
		}
		n.Content = own.Content
		for i := 0; i < len(n.Content); i += 2 {
			change(n.Content[i+1], where+"/"+n.Content[i].Value, done, check)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			change(item, where+"/-", done, check)
		}
	}
}

// disagreement reports whether reader and schema may disagree about a change, and
// lists the reasons.
func disagreement(where, change string, codes []string) bool {
	if len(codes) == 0 {
		return stricter(change)
	}
	return laxer(where, change) || !slices.ContainsFunc(codes, func(code string) bool { return !elsewhere[code] })
}

// stricter lists changes that only the schema rejects.
func stricter(change string) bool {
	switch change {
	case "true", "True": // a text to the reader, a boolean to an editor
		return true
	case "'12'", "'22'": // a number in quotes
		return true
	}
	return false
}

// elsewhere are the codes of problems that involve another value, section or file.
var elsewhere = map[string]bool{
	"manifest.two-owners": true, "manifest.reference": true, "manifest.duplicate-item": true, "manifest.path": true,
	"requirements.absent": true, "requirements.group": true, "requirements.unreadable": true, "requirements.syntax": true,
}

// laxer lists changes that only the reader rejects.
func laxer(where, change string) bool {
	switch change {
	case "True", "1e3", "0644", "420": // a valid spelling has the same value in an editor
		return true
	case "0", "1", "22": // 12.0 is 12 in an editor
		if strings.HasSuffix(where, "/minimum") || strings.HasSuffix(where, "/compute") || strings.HasSuffix(where, "/glibc") {
			return true
		}
	}
	if strings.HasPrefix(where, "/environments/remote/packages") { // the environment is exact
		return slices.Contains([]string{"[a, a]", "1", "word", "without version", "'>=1.0'"}, change)
	}
	switch where { // involves two values
	case "/storage/warn_below":
		return change == "1 GiB"
	case "/storage/budget/-/size":
		return change == "2GB-1GB"
	case "/moved/-/from", "/moved/-/to":
		return change == "x.toml" || change == "x.tmpl"
	}
	return false
}
