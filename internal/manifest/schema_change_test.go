package manifest

import (
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// sorts are put in the place of every value of the reference, one at a time, probes
// in that of every text, number, true or false.
var (
	sorts  = []string{"{}", "[]", "{a: b}", "[a, a]", "null", "''", "true", "1", "word"}
	probes = []string{
		"' '", "True", "0", "-1", "22", "'22'", "70000", "3.10", "'3.10'", "'3.6'", "12.1", "'12'", "1e3", "0644", "'0444'", "420",
		"Word", "two words", "a-b", "a_b", "a/b", "../x", "/x/y", "/", ".", "x/", ".git/x", "-x",
		"1 GiB", "2GB-1GB", "1GB-2GB", "x.toml", "x.tmpl", "conda", "nvidia", "warn", "nodefaults",
		"'line\nline'", "'>=1.0'", "1.0.0", "2.1.0rc1", "https://user@example.org/x", "user@host", "directory.x",
	}
)

// TestSchemaJudgesAsTheReader changes the reference in thousands of ways, one at a
// time: other values, keys taken away, keys that are not known. Reader and schema
// must agree, but for what stands in disagreement.
func TestSchemaJudgesAsTheReader(t *testing.T) {
	if racing {
		t.Skip("thousands of judgements one after the other: nothing for the race detector")
	}
	_, doc := reference(t)
	schema := validator(t)
	cases, seenRefusals := 0, 0
	judge := func(where, change string) {
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
			t.Errorf("%s: %s: the schema takes it: %v; the reader says %v", where, change, taken, codes)
		}
	}
	judge("", "nothing")
	change(doc.Content[0], "", map[string]bool{}, judge)
	if cases < 4000 || seenRefusals < cases/2 {
		t.Errorf("%d changes, of which the schema refused %d: there were more", cases, seenRefusals)
	}
}

// change calls judge for each change of a node and of all below it, and undoes it. Of
// places with the same keys on the way to them, the first is changed.
func change(n *yaml.Node, where string, done map[string]bool, judge func(where, change string)) {
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
		judge(where, other)
	}
	*n = own
	switch n.Kind {
	case yaml.MappingNode:
		n.Content = append(slices.Clone(own.Content), &yaml.Node{Kind: yaml.ScalarNode, Value: "no-such-key"}, &yaml.Node{Kind: yaml.ScalarNode, Value: "x"})
		judge(where, "an unknown key")
		for i := 0; i < len(own.Content); i += 2 {
			n.Content = slices.Delete(slices.Clone(own.Content), i, i+2)
			judge(where, "without "+own.Content[i].Value)
		}
		n.Content = own.Content
		for i := 0; i < len(n.Content); i += 2 {
			change(n.Content[i+1], where+"/"+n.Content[i].Value, done, judge)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			change(item, where+"/-", done, judge)
		}
	}
}

// disagreement reports whether reader and schema may differ about a change, and is
// the list of why.
func disagreement(where, change string, codes []string) bool {
	if len(codes) == 0 {
		return stricter(change)
	}
	return laxer(where, change) || !slices.ContainsFunc(codes, func(code string) bool { return !elsewhere[code] })
}

// stricter lists what the reader takes and the schema does not, on purpose.
func stricter(change string) bool {
	switch change {
	case "true", "True": // a name or a text to the reader, no text to an editor: it needs quotes
		return true
	case "'12'", "'22'": // a number, which needs none
		return true
	}
	return false
}

// elsewhere are the codes for what another value, section or file decides.
var elsewhere = map[string]bool{
	"manifest.two-owners": true, "manifest.reference": true, "manifest.duplicate-item": true, "manifest.path": true,
}

// laxer lists what the reader refuses and the schema cannot see.
func laxer(where, change string) bool {
	switch change {
	case "True", "1e3", "0644", "420": // the parser makes the same value of a spelling that is taken
		return true
	case "0", "1", "22": // 12.0 is 12 to it
		return strings.HasSuffix(where, "/minimum") || strings.HasSuffix(where, "/compute")
	}
	switch where { // it takes two values
	case "/storage/warn_below":
		return change == "1 GiB"
	case "/storage/budget/-/size":
		return change == "2GB-1GB"
	case "/moved/-/from", "/moved/-/to":
		return change == "x.toml" || change == "x.tmpl"
	}
	return false
}
