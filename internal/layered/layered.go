// Package layered places the nodes of a graph without cycles in columns, so that
// every edge leads to the right and few of them cross (after Sugiyama, Tagawa and
// Toda, 1981). It knows nothing of what the nodes are, and draws nothing.
//
//  1. Each node gets a column: the first behind all that it waits for. What waits
//     for nothing moves right, to beside the first that waits for it.
//  2. An edge over several columns gets a bend in each of those between.
//  3. Columns are sorted by where their neighbours stand, there and back, and the
//     order with the fewest crossings is kept.
//  4. Each node goes to the height of its neighbours, as near as those above and
//     below it let it.
//  5. Nodes without any edge stand below, in rows.
//
// Equal graphs give equal drawings.
package layered

import (
	"slices"

	"github.com/reconcile-ml/reconcile/internal/graph"
)

// Sizes of a drawing, in pixels.
const (
	Height    = 30 // of a node
	margin    = 8  // around it all
	rowGap    = 10 // between nodes above each other
	bendGap   = 7  // between a bend and its neighbours
	columnGap = 56 // between columns, where the edges run
	cellGap   = 14 // between nodes of a row without edges
	partGap   = 26 // between the graph and the nodes without edges
)

// A Point is a place, from the upper left corner.
type Point struct{ X, Y float64 }

// A Box is where a node stands: its upper left corner, and its width. All are
// Height high.
type Box struct {
	Point
	Width float64
}

// A Line is an edge: the points it runs through, from the right side of one node to
// the left side of another. Where it crosses a column between, it does so level, and
// both ends of that piece are among the points.
type Line struct {
	graph.Edge
	Points []Point
}

// A Drawing is nodes in the order given, and lines in the order of the edges.
type Drawing struct {
	Width, Height float64
	Boxes         []Box
	Lines         []Line
}

// Draw places nodes of the given widths. wrap is how wide rows of nodes without
// edges become, where the rest is not wider. The edges must hold no cycle.
func Draw(widths []float64, edges []graph.Edge, wrap float64) Drawing {
	l := &layout{widths: widths, edges: edges}
	l.assignColumns()
	l.bend()
	l.sortColumns()
	l.settle()
	return l.drawing(wrap)
}

// spot is what stands in a column: a node, or the bend of an edge.
type spot struct {
	node   int // -1 for a bend
	column int
	left   []int // spots of the column before that lead here
	right  []int // spots of the column behind that this leads to
	y      float64
}

func (s *spot) isBend() bool { return s.node < 0 }

// layout is one call of Draw.
type layout struct {
	widths  []float64
	edges   []graph.Edge
	column  []int // of each node; -1 for one without edges
	spots   []spot
	ways    [][]int // the spots that each edge runs through
	columns [][]int // spots from top to bottom
}

// assignColumns gives each node that has an edge its column.
func (l *layout) assignColumns() {
	n := len(l.widths)
	l.column = make([]int, n)
	connected := make([]bool, n)
	for _, e := range l.edges {
		connected[e.From], connected[e.To] = true, true
	}
	order, _ := graph.New(n, slices.Clone(l.edges)).Order()
	into, out := make([][]int32, n), make([][]int32, n)
	for _, e := range l.edges {
		into[e.To] = append(into[e.To], e.From)
		out[e.From] = append(out[e.From], e.To)
	}
	for _, i := range order {
		for _, from := range into[i] {
			l.column[i] = max(l.column[i], l.column[from]+1)
		}
	}
	for i := range n {
		if !connected[i] {
			l.column[i] = -1
			continue
		}
		if len(into[i]) > 0 {
			continue
		}
		nearest := l.column[out[i][0]]
		for _, to := range out[i] {
			nearest = min(nearest, l.column[to])
		}
		l.column[i] = nearest - 1
	}
}

// bend makes the spots and joins them column by column.
func (l *layout) bend() {
	at := make([]int, len(l.widths))
	for i, c := range l.column {
		if c >= 0 {
			at[i] = l.add(i, c)
		}
	}
	l.ways = make([][]int, len(l.edges))
	for i, e := range l.edges {
		way := []int{at[e.From]}
		for c := l.column[e.From] + 1; c < l.column[e.To]; c++ {
			way = append(way, l.add(-1, c))
		}
		way = append(way, at[e.To])
		for j := 1; j < len(way); j++ {
			l.spots[way[j-1]].right = append(l.spots[way[j-1]].right, way[j])
			l.spots[way[j]].left = append(l.spots[way[j]].left, way[j-1])
		}
		l.ways[i] = way
	}
}

func (l *layout) add(node, column int) int {
	for len(l.columns) <= column {
		l.columns = append(l.columns, nil)
	}
	l.spots = append(l.spots, spot{node: node, column: column})
	l.columns[column] = append(l.columns[column], len(l.spots)-1)
	return len(l.spots) - 1
}

// drawing turns heights and columns into places.
func (l *layout) drawing(wrap float64) Drawing {
	d := Drawing{Boxes: make([]Box, len(l.widths)), Lines: make([]Line, len(l.edges))}
	x := float64(margin)
	lefts, rights := make([]float64, len(l.columns)), make([]float64, len(l.columns))
	for c, column := range l.columns {
		wide := 0.0
		for _, s := range column {
			if !l.spots[s].isBend() {
				wide = max(wide, l.widths[l.spots[s].node])
			}
		}
		lefts[c], rights[c] = x, x+wide
		x += wide + columnGap
	}
	bottom := float64(margin)
	for i := range l.spots {
		s := &l.spots[i]
		bottom = max(bottom, s.y+Height/2+margin)
		if s.isBend() {
			continue
		}
		d.Boxes[s.node] = Box{Point{lefts[s.column], s.y - Height/2}, rights[s.column] - lefts[s.column]}
	}
	for i, way := range l.ways {
		line := Line{Edge: l.edges[i]}
		for j, s := range way {
			at := &l.spots[s]
			if j > 0 {
				line.Points = append(line.Points, Point{lefts[at.column], at.y})
			}
			if j < len(way)-1 {
				line.Points = append(line.Points, Point{rights[at.column], at.y})
			}
		}
		d.Lines[i] = line
	}
	d.Width, d.Height = margin, margin
	if len(l.columns) > 0 {
		d.Width, d.Height = x-columnGap+margin, bottom
	}
	l.rows(&d, max(wrap, d.Width))
	return d
}

// rows puts the nodes without edges below the rest, in cells of one width.
func (l *layout) rows(d *Drawing, wrap float64) {
	wide := 0.0
	for i, c := range l.column {
		if c < 0 {
			wide = max(wide, l.widths[i])
		}
	}
	x, y, first := float64(margin), d.Height, true
	for i, c := range l.column {
		if c >= 0 {
			continue
		}
		switch {
		case first && len(l.columns) > 0:
			y += partGap - margin
		case x+wide+margin > wrap && !first:
			x, y = margin, y+Height+rowGap
		}
		first = false
		d.Boxes[i] = Box{Point{x, y}, wide}
		x += wide + cellGap
		d.Width, d.Height = max(d.Width, x-cellGap+margin), y+Height+margin
	}
}
