package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// maxReduced is the number of resources up to which redundant edges are removed. The time
// for that grows with resources times edges.
const maxReduced = 5000

// A Graph is the resources of one machine and their dependencies.
type Graph struct {
	Nodes []GraphNode `json:"nodes"`
	Edges []GraphEdge `json:"edges"` // without those that a longer path implies, unless there are very many
}

// A GraphNode is one resource with its planned action.
type GraphNode struct {
	Addr   resources.Addr   `json:"addr"`
	Owns   string           `json:"owns"`
	Check  bool             `json:"check,omitempty"`  // a requirement
	Action resources.Action `json:"action,omitempty"` // none if it agrees
}

// A GraphEdge leads from a node to one that depends on it. Both are indices of nodes.
type GraphEdge struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// GraphOf returns the graph of a machine: its resources in the order of the manifest, and
// then those that its plan deletes. It returns the errors of planner.Graph.
func GraphOf(m Machine) (*Graph, error) {
	order, err := planner.Graph(m.Resources)
	if err != nil {
		return nil, err
	}
	items := make(map[resources.Addr]*planner.Item, len(m.Plan.Items))
	for i := range m.Plan.Items {
		items[m.Plan.Items[i].Resource.Addr] = &m.Plan.Items[i]
	}
	g := &Graph{Nodes: make([]GraphNode, 0, len(m.Resources)), Edges: []GraphEdge{}}
	for i := range m.Resources {
		g.add(&m.Resources[i], items[m.Resources[i].Addr])
		delete(items, m.Resources[i].Addr)
	}
	edges := order.Edges()
	if order.Len() <= maxReduced {
		edges = order.Reduced()
	}
	for _, e := range edges {
		g.Edges = append(g.Edges, GraphEdge{int(e.From), int(e.To)})
	}
	for i := range m.Plan.Items {
		if r := m.Plan.Items[i].Resource; items[r.Addr] != nil {
			g.add(r, items[r.Addr])
		}
	}
	return g, nil
}

func (g *Graph) add(r *resources.Resource, item *planner.Item) {
	node := GraphNode{Addr: r.Addr, Owns: r.Spec.Owns().String()}
	_, node.Check = r.Spec.(resources.Requirement)
	if item != nil {
		node.Action = item.Change.Action
	}
	g.Nodes = append(g.Nodes, node)
}

// label is the sign of the action and the address.
func (n GraphNode) label() string {
	mark, _ := sign(n.Action)
	if mark == " " {
		return Escape(n.Addr.String())
	}
	return mark + " " + Escape(n.Addr.String())
}

// class is the key of the colors of a node.
func (n GraphNode) class() string {
	switch {
	case n.Action != resources.None:
		return string(n.Action)
	case n.Check:
		return "check"
	}
	return "agrees"
}

// classColors are the fill and border of the classes, for a light background.
var classColors = []struct{ class, fill, stroke string }{
	{"agrees", "#f6f8fa", "#57606a"},
	{"check", "#ddf4ff", "#0550ae"},
	{"create", "#dafbe1", "#116329"},
	{"update", "#fff8c5", "#7d4e00"},
	{"replace", "#fff8c5", "#7d4e00"},
	{"delete", "#ffebe9", "#a40e26"},
	{"blocked", "#ffebe9", "#a40e26"},
	{"deferred", "#ddf4ff", "#0550ae"},
}

// GraphJSON writes a graph as one document.
func GraphJSON(w io.Writer, g *Graph) error {
	return writeJSON(w, graphDocument{Version, g}, "  ")
}

type graphDocument struct {
	Version int `json:"version"`
	*Graph
}

// GraphDOT writes a graph in the DOT language of Graphviz.
func GraphDOT(w io.Writer, g *Graph) error {
	var b strings.Builder
	b.WriteString("digraph reconcile {\n  rankdir=LR;\n  node [shape=box, style=\"filled,rounded\", fontname=\"monospace\"];\n")
	colors := map[string][2]string{}
	for _, c := range classColors {
		colors[c.class] = [2]string{c.fill, c.stroke}
	}
	for i, n := range g.Nodes {
		c := colors[n.class()]
		fmt.Fprintf(&b, "  n%d [label=\"%s\", fillcolor=\"%s\", color=\"%s\"];\n", i, dotText(n.label()), c[0], c[1])
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  n%d -> n%d;\n", e.From, e.To)
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// dotText escapes text for a quoted string of DOT, which interprets backslashes and HTML
// entities.
func dotText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;").Replace(s)
}

// GraphMermaid writes a graph for a Mermaid block in Markdown.
func GraphMermaid(w io.Writer, g *Graph) error {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	used := map[string]bool{}
	for i, n := range g.Nodes {
		fmt.Fprintf(&b, "  n%d[\"%s\"]:::%s\n", i, mermaidText(n.label()), n.class())
		used[n.class()] = true
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  n%d --> n%d\n", e.From, e.To)
	}
	for _, c := range classColors {
		if used[c.class] {
			fmt.Fprintf(&b, "  classDef %s fill:%s,stroke:%s,color:#1b1f24\n", c.class, c.fill, c.stroke)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// mermaidText writes ASCII characters other than letters, digits and " ./" as Mermaid
// entities. A plain "+" or "-" at the start would begin a list.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r > '~', strings.ContainsRune(" ./", r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}
