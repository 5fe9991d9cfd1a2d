package layered

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/reconcile-ml/reconcile/internal/graph"
)

func TestChainStandsInARow(t *testing.T) {
	d := Draw([]float64{80, 90, 100}, []graph.Edge{{From: 0, To: 1}, {From: 1, To: 2}}, 0)
	for i := 1; i < 3; i++ {
		if d.Boxes[i].Y != d.Boxes[0].Y || d.Boxes[i].X != d.Boxes[i-1].X+d.Boxes[i-1].Width+columnGap {
			t.Errorf("boxes %v", d.Boxes)
		}
	}
	if d.Height != Height+2*margin {
		t.Errorf("height %v", d.Height)
	}
}

func TestCrossingsAreUndone(t *testing.T) {
	d := Draw([]float64{50, 50, 50, 50}, []graph.Edge{{From: 0, To: 3}, {From: 1, To: 2}}, 0)
	if (d.Boxes[0].Y-d.Boxes[1].Y)*(d.Boxes[3].Y-d.Boxes[2].Y) <= 0 {
		t.Errorf("the edges cross: %v", d.Boxes)
	}
}

func TestNodesWithoutEdgesWrap(t *testing.T) {
	d := Draw([]float64{100, 100, 100, 60}, nil, 250)
	if d.Boxes[1].Y != d.Boxes[0].Y || d.Boxes[2].X != d.Boxes[0].X || d.Boxes[2].Y <= d.Boxes[0].Y {
		t.Errorf("boxes %v", d.Boxes)
	}
	if d.Width > 250 || d.Boxes[3].Width != 100 {
		t.Errorf("width %v, boxes %v", d.Width, d.Boxes)
	}
	if d := Draw(nil, nil, 300); len(d.Boxes) != 0 || d.Width != margin {
		t.Errorf("of nothing: %+v", d)
	}
}

// Whatever the graph: boxes do not touch and lie inside, edges lead to the right
// from box to box, and drawing again gives the same.
func TestDrawingHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(t, "n")
		widths := make([]float64, n)
		var edges []graph.Edge
		for i := range n {
			widths[i] = float64(rapid.IntRange(20, 240).Draw(t, "width"))
			for from := range i {
				if rapid.IntRange(0, 9).Draw(t, "edge") == 0 {
					edges = append(edges, graph.Edge{From: int32(from), To: int32(i)})
				}
			}
		}
		d := Draw(widths, edges, 400)
		for i, a := range d.Boxes {
			if a.X < 0 || a.Y < 0 || a.X+a.Width > d.Width || a.Y+Height > d.Height || a.Width < widths[i] {
				t.Fatalf("box %d %+v is not inside %v x %v, or too narrow", i, a, d.Width, d.Height)
			}
			for j, b := range d.Boxes[:i] {
				if a.X < b.X+b.Width && b.X < a.X+a.Width && a.Y < b.Y+Height && b.Y < a.Y+Height {
					t.Fatalf("boxes %d %+v and %d %+v overlap", i, a, j, b)
				}
			}
		}
		for i, line := range d.Lines {
			if line.Edge != edges[i] || len(line.Points)%2 != 0 {
				t.Fatalf("line %d is %+v, want %v", i, line, edges[i])
			}
			for j := 1; j < len(line.Points); j++ {
				if line.Points[j].X < line.Points[j-1].X {
					t.Fatalf("line %d goes back: %+v", i, line)
				}
			}
			from, to := d.Boxes[line.From], d.Boxes[line.To]
			first, last := line.Points[0], line.Points[len(line.Points)-1]
			if first.X != from.X+from.Width || last.X != to.X || first.Y != from.Y+Height/2 || last.Y != to.Y+Height/2 {
				t.Fatalf("line %d %+v does not join %+v and %+v", i, line, from, to)
			}
		}
		if again := Draw(widths, edges, 400); !reflect.DeepEqual(d, again) {
			t.Fatal("drawn again, it differs")
		}
	})
}
