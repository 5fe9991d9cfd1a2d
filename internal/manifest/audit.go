package manifest

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// maxDepth is how deep values may be nested.
const maxDepth = 100

var aliasProblem = diag.Problem{
	Code: "manifest.anchor", Summary: "anchors and aliases are not allowed",
	Hint: "write the value out where it is used, or quote a text that begins with & or *",
}

// audit walks all nodes once and reports what no manifest may use, wherever it
// stands: anchors, aliases, merge keys, tags, control characters
// written as escapes, and nesting beyond maxDepth. A node that it reports loses
// its kind, so that nothing reports it again or descends into it.
func (s *source) audit(n *yaml.Node, depth int) {
	switch {
	case s.more > 0:
		return
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		s.reject(n, aliasProblem)
		return
	case n.Style&yaml.TaggedStyle != 0: // !!int says what a reader would not believe of a text
		s.reject(n, diag.Problem{
			Code: "manifest.tag", Summary: "tags are not allowed", Found: quote(n.Tag),
			Hint: "remove the tag, or quote a text that begins with !",
		})
		return
	case n.Tag == "!!merge" && n.Style&yaml.TaggedStyle == 0:
		s.reject(n, diag.Problem{
			Code: "manifest.anchor", Summary: "the merge key << is not allowed", Hint: "write the values out where they are used",
		})
		return
	case depth > maxDepth && n.Kind != yaml.ScalarNode:
		s.reject(n, diag.Problem{
			Code: "manifest.too-deep", Summary: fmt.Sprintf("values are nested more than %d deep", maxDepth),
			Hint: "no manifest needs more than 10 levels",
		})
		return
	case n.Kind == yaml.ScalarNode && n.Style&yaml.DoubleQuotedStyle != 0:
		// Only an escape can bring in what scan has not seen.
		if at := strings.IndexFunc(n.Value, forbidden); at >= 0 {
			s.reject(n, diag.Problem{
				Code: "manifest.control-character", Summary: "an escape stands for a control or invisible character",
				Found: quote(n.Value), Hint: "remove it",
			})
		}
		return
	}
	for _, child := range n.Content {
		s.audit(child, depth+1)
	}
}

// reject reports a node and takes its kind away.
func (s *source) reject(n *yaml.Node, p diag.Problem) {
	s.report(n.Line, n.Column, p)
	n.Kind = 0
}
