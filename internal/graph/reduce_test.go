package graph

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestReducedDropsIndirectEdges(t *testing.T) {
	g := New(4, []Edge{{From: 0, To: 1}, {From: 1, To: 2}, {From: 0, To: 2}, {From: 0, To: 3}, {From: 2, To: 3}})
	want := []Edge{{From: 0, To: 1}, {From: 1, To: 2}, {From: 2, To: 3}}
	if got := g.Reduced(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestReducedIsMinimal checks that the reduction reaches the same nodes, and that every edge
// of it is needed.
func TestReducedIsMinimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		var edges []Edge
		for to := range int32(n) {
			for from := range to {
				if rapid.Bool().Draw(t, "edge") {
					edges = append(edges, Edge{From: from, To: to})
				}
			}
		}
		g := New(n, edges)
		small := g.Reduced()
		for i := range int32(n) {
			if !sameReach(g, New(n, slices.Clone(small)), i) {
				t.Fatalf("%d reaches other nodes after %v became %v", i, edges, small)
			}
		}
		for at := range small {
			fewer := slices.Delete(slices.Clone(small), at, at+1)
			if sameReach(g, New(n, fewer), small[at].To) {
				t.Fatalf("%v is not needed in %v", small[at], small)
			}
		}
	})
}

func sameReach(a, b *Graph, i int32) bool {
	in, out := map[int32]bool{}, map[int32]bool{}
	a.addDependencies(i, in)
	b.addDependencies(i, out)
	if len(in) != len(out) {
		return false
	}
	for k := range in {
		if !out[k] {
			return false
		}
	}
	return true
}

func TestEdges(t *testing.T) {
	given := []Edge{{From: 0, To: 1}, {From: 0, To: 2}, {From: 1, To: 2}}
	if got := New(3, slices.Clone(given)).Edges(); !slices.Equal(got, given) {
		t.Errorf("got %v, want %v", got, given)
	}
}
