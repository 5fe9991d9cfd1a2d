package manifest

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// maxDepth is the maximum depth of nested values.
const maxDepth = 100

func (s *source) aliasProblem(pos diag.Pos) {
	s.problemAt(pos, "anchor", "anchors and aliases are not allowed", "", "write the value where it is used, or quote a text that begins with & or *")
}

// audit walks all nodes and reports what a manifest may not use anywhere: anchors,
// aliases, merge keys, tags, escaped control characters, and nesting beyond maxDepth. It
// clears the kind of a node that it reports, so that no other function reports it again.
func (s *source) audit(n *yaml.Node, depth int) {
	switch {
	case s.more > 0:
		return
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		s.aliasProblem(s.at(n.Line, n.Column))
		n.Kind = 0
		return
	case n.Style&yaml.TaggedStyle != 0:
		s.reject(n, "tag", "tags are not allowed", quote(n.Tag), "remove the tag, or quote a text that begins with !")
		return
	case n.Tag == "!!merge":
		s.reject(n, "anchor", "the merge key << is not allowed", "", "write the values where they are used")
		return
	case depth > maxDepth && n.Kind != yaml.ScalarNode:
		s.reject(n, "too-deep", fmt.Sprintf("values are nested more than %d deep", maxDepth), "", "no manifest needs more than 10 levels")
		return
	case n.Kind == yaml.ScalarNode && n.Style&yaml.DoubleQuotedStyle != 0:
		// scan has checked all other texts; an escape can add a character to this one.
		if strings.ContainsFunc(n.Value, forbidden) {
			s.reject(n, "control-character", "an escaped control or invisible character", quote(n.Value), "remove it")
		}
		return
	}
	for _, child := range n.Content {
		s.audit(child, depth+1)
	}
}

// reject reports a node and clears its kind.
func (s *source) reject(n *yaml.Node, code, summary, found, hint string) {
	s.problemAt(s.at(n.Line, n.Column), code, summary, found, hint)
	n.Kind = 0
}
