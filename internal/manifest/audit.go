package manifest

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// maxDepth is the maximum depth of nested values.
const maxDepth = 100

var aliasProblem = diag.Problem{
	Code: "manifest.anchor", Summary: "anchors and aliases are not allowed",
	Hint: "write the value where it is used, or quote a text that begins with & or *",
}

// audit walks all nodes and reports what a manifest may not use anywhere: anchors,
// aliases, merge keys, tags, escaped control characters, and nesting beyond maxDepth. It
// clears the kind of a node that it reports, so that no other function reports it again.
func (s *source) audit(n *yaml.Node, depth int) {
	reject := func(p diag.Problem) {
		s.report(n.Line, n.Column, p)
		n.Kind = 0
	}
	switch {
	case s.more > 0:
		return
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		reject(aliasProblem)
		return
	case n.Style&yaml.TaggedStyle != 0:
		reject(diag.Problem{
			Code: "manifest.tag", Summary: "tags are not allowed", Found: quote(n.Tag),
			Hint: "remove the tag, or quote a text that begins with !",
		})
		return
	case n.Tag == "!!merge":
		reject(diag.Problem{
			Code: "manifest.anchor", Summary: "the merge key << is not allowed", Hint: "write the values where they are used",
		})
		return
	case depth > maxDepth && n.Kind != yaml.ScalarNode:
		reject(diag.Problem{
			Code: "manifest.too-deep", Summary: fmt.Sprintf("values are nested more than %d deep", maxDepth),
			Hint: "no manifest needs more than 10 levels",
		})
		return
	case n.Kind == yaml.ScalarNode && n.Style&yaml.DoubleQuotedStyle != 0:
		// scan has checked all other texts; an escape can add a character to this one.
		if strings.ContainsFunc(n.Value, forbidden) {
			reject(diag.Problem{
				Code: "manifest.control-character", Summary: "an escaped control or invisible character",
				Found: quote(n.Value), Hint: "remove it",
			})
		}
		return
	}
	for _, child := range n.Content {
		s.audit(child, depth+1)
	}
}
