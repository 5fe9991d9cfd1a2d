package probes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// localKeys lists the valid settings of local.yaml.
func localKeys() []string { return []string{"cert", "conda_alias", "find_links", "index_url", "proxy"} }

// parseLocal reads a local.yaml: a mapping of strings, or a list of strings for find_links.
// Anything else is an error with its position. Errors do not contain values, which may be
// secret.
func parseLocal(file string, b []byte) ([]setting, error) {
	var doc yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(b))
	if err := decoder.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, localProblem(file, nil, "is not valid YAML")
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, localProblem(file, nil, "has more than one document")
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, localProblem(file, root, "is not a mapping of settings")
	}
	var problems diag.List
	var found []setting
	seen := map[string]bool{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		switch {
		case !slices.Contains(localKeys(), key.Value):
			problems.Add(localProblem(file, key, fmt.Sprintf("has the unknown setting %.40q", key.Value)))
			continue
		case seen[key.Value]:
			problems.Add(localProblem(file, key, "has "+key.Value+" twice"))
			continue
		}
		seen[key.Value] = true
		values, ok := localValues(key.Value, value)
		if !ok {
			problems.Add(localProblem(file, value, key.Value+" is not a string"))
			continue
		}
		found = append(found, setting{name: key.Value, values: values, source: file, pos: position(file, value)})
	}
	return found, problems.Err()
}

// localValues returns the strings of a setting.
func localValues(name string, n *yaml.Node) ([]string, bool) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && n.Anchor == "" {
		return []string{strings.TrimSpace(n.Value)}, strings.TrimSpace(n.Value) != ""
	}
	if n.Kind != yaml.SequenceNode || name != "find_links" || n.Anchor != "" {
		return nil, false
	}
	var values []string
	for _, item := range n.Content {
		one, ok := localValues("", item)
		if !ok {
			return nil, false
		}
		values = append(values, one...)
	}
	return values, true
}

func position(file string, n *yaml.Node) diag.Pos {
	if n == nil {
		return diag.Pos{File: file}
	}
	return diag.Pos{File: file, Line: n.Line, Col: n.Column}
}

func localProblem(file string, n *yaml.Node, summary string) *diag.Problem {
	return &diag.Problem{
		Code: "index.local", Pos: position(file, n), Summary: summary,
		Hint: "the valid settings are " + strings.Join(localKeys(), ", ") + ": strings, or a list for find_links",
	}
}
