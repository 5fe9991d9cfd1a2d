package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// maxReduced is how many resources a graph has at most from which what a longer way
// says is left out: that takes as much time as resources times edges.
const maxReduced = 5000

// A Graph is the resources of one machine and who waits for whom. What a longer way
// says already is left out, unless there are very many.
type Graph struct {
	Nodes []GraphNode `json:"nodes"`
	Edges []GraphEdge `json:"edges"`
}

// A GraphNode is one resource, and what the plan does with it.
type GraphNode struct {
	Addr   resources.Addr   `json:"addr"`
	Owns   string           `json:"owns"`
	Check  bool             `json:"check,omitempty"`  // a requirement
	Action resources.Action `json:"action,omitempty"` // none where it agrees
}

// A GraphEdge says that To waits for From; both are indices of nodes.
type GraphEdge struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// GraphOf returns the graph of a machine's resources, in the order of the manifest,
// and what its plan would delete behind them. It fails where resources contradict
// each other, as planning does.
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

// label is what stands in a node: the sign of what is done, and the address.
func (n GraphNode) label() string {
	mark, _ := sign(n.Action)
	if mark == " " {
		return Escape(n.Addr.String())
	}
	return mark + " " + Escape(n.Addr.String())
}

// class names what is done with a node, for colours.
func (n GraphNode) class() string {
	switch {
	case n.Action != resources.None:
		return string(n.Action)
	case n.Check:
		return "check"
	}
	return "agrees"
}

// classColors are fill and border of the classes in DOT and Mermaid, whose readers
// bring a light ground.
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

// GraphJSON writes a graph as one document with format version 1.
func GraphJSON(w io.Writer, g *Graph) error {
	return writeJSON(w, graphDocument{Version, g}, "  ")
}

type graphDocument struct {
	Version int `json:"version"`
	*Graph
}

// GraphDOT writes a graph for the programs of Graphviz.
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

// dotText escapes text for a quoted string of DOT, in which a backslash has meanings
// of its own and entities of HTML are read.
func dotText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;").Replace(s)
}

// GraphMermaid writes a graph for a block of Mermaid in Markdown.
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

// mermaidText spells what Mermaid could read as more than text by its number, in
// Mermaid's own way; a plain sign at the front would begin a list.
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
