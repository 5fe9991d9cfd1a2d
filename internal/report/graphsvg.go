package report

import (
	_ "embed"
	"fmt"
	"html"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/layered"
	"github.com/reconcile-ml/reconcile/internal/plural"
)

// The colours of all pages, for a light and a dark ground, and how graphs are drawn
// in them.
var (
	//go:embed style/colors.css
	colorsCSS string
	//go:embed style/graph.css
	graphCSS string
)

const (
	// maxDrawn is how many resources a drawing shows. More of them can be read by
	// nobody, and the time to order them grows with their square.
	maxDrawn = 300
	// charWidth is how wide a character of a node is, in pixels.
	charWidth = 7.9
	// nodePadding is what stands beside the text of a node, in pixels.
	nodePadding = 20
	// graphWrap is how wide rows of nodes without edges become, in pixels.
	graphWrap = 860
)

// GraphSVG draws a graph as a page of its own, in colours for a light and a dark
// ground.
func GraphSVG(w io.Writer, g *Graph) error {
	if len(g.Nodes) > maxDrawn {
		return &diag.Problem{
			Code: "graph.too-large", Summary: fmt.Sprintf("%s are more than can be drawn so that people read it", plural.Count(len(g.Nodes), "resource")),
			Hint: "`reconcile graph --format dot` writes all of them for the programs of Graphviz",
		}
	}
	style := colorsCSS + graphCSS + "svg { background: var(--ground); }\n"
	_, err := io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+drawGraph(g, style))
	return err
}

// drawGraph returns a graph as SVG. A style is for a drawing that stands alone.
func drawGraph(g *Graph, style string) string {
	widths := make([]float64, len(g.Nodes))
	for i, n := range g.Nodes {
		widths[i] = float64(utf8.RuneCountInString(n.label()))*charWidth + nodePadding
	}
	d := layered.Draw(widths, g.edges(), graphWrap)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="graph" xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="graph-title graph-text" width="%s" height="%s" viewBox="0 0 %[1]s %[2]s">`+"\n", px(d.Width), px(d.Height))
	fmt.Fprintf(&b, "<title id=\"graph-title\">What waits for what</title>\n<desc id=\"graph-text\">%s, %s. An arrow leads from what comes first to what waits for it.</desc>\n",
		plural.Count(len(g.Nodes), "resource"), plural.Count(len(g.Edges), "arrow"))
	if style != "" {
		fmt.Fprintf(&b, "<style>\n%s</style>\n", style)
	}
	b.WriteString(`<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>` + "\n")
	for _, l := range d.Lines {
		fmt.Fprintf(&b, `<path d="%s" marker-end="url(#arrow)"/>`+"\n", curve(l.Points))
	}
	for i, n := range g.Nodes {
		box := d.Boxes[i]
		fmt.Fprintf(&b, `<g class="%s"><title>%s</title><rect x="%s" y="%s" width="%s" height="%d" rx="5"/><text x="%s" y="%s">%s</text></g>`+"\n",
			n.class(), html.EscapeString(n.title()), px(box.X), px(box.Y), px(box.Width), layered.Height, px(box.X+nodePadding/2), px(box.Y+layered.Height/2+4.5), html.EscapeString(n.label()))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// title is what is said of a node where one points at it.
func (n GraphNode) title() string {
	return Escape(n.Addr.String()+" ("+n.Owns+"): ") + n.class()
}

// curve is a path through the points, level at each of them.
func curve(points []layered.Point) string {
	var b strings.Builder
	for i, p := range points {
		switch {
		case i == 0:
			fmt.Fprintf(&b, "M%s %s", px(p.X), px(p.Y))
		case i%2 == 0 || p.Y == points[i-1].Y:
			fmt.Fprintf(&b, "L%s %s", px(p.X), px(p.Y))
		default:
			middle := (points[i-1].X + p.X) / 2
			fmt.Fprintf(&b, "C%s %s %s %s %s %s", px(middle), px(points[i-1].Y), px(middle), px(p.Y), px(p.X), px(p.Y))
		}
	}
	return b.String()
}

// px is a number of pixels with one digit behind the point at most.
func px(n float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(n, 'f', 1, 64), ".0")
}
