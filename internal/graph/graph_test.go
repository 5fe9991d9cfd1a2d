package graph

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestOrderTakesLowestFirst(t *testing.T) {
	g := New(5, []Edge{{From: 4, To: 0}, {From: 0, To: 2}, {From: 4, To: 0}})
	order, cycle := g.Order()
	if cycle != nil || !slices.Equal(order, []int32{1, 3, 4, 0, 2}) {
		t.Errorf("order %v, cycle %v", order, cycle)
	}
}

func TestCycleIsAPath(t *testing.T) {
	g := New(5, []Edge{{From: 0, To: 1}, {From: 1, To: 2}, {From: 2, To: 3}, {From: 3, To: 1}, {From: 3, To: 4}})
	order, cycle := g.Order()
	if order != nil {
		t.Fatalf("order %v of a graph with a cycle", order)
	}
	for i, n := range cycle {
		before := cycle[(i+len(cycle)-1)%len(cycle)]
		if !slices.Contains(g.After(n), before) {
			t.Errorf("in cycle %v, %d does not depend on %d", cycle, n, before)
		}
	}
	if len(cycle) != 3 {
		t.Errorf("cycle %v, want the three nodes 1, 2, 3", cycle)
	}
}

// TestOrderRespectsEveryEdge checks that the order has every node once and respects every
// edge, or that the cycle is one.
func TestOrderRespectsEveryEdge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		node := rapid.Int32Range(0, int32(n-1))
		edges := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Edge {
			return Edge{From: node.Draw(t, "from"), To: node.Draw(t, "to")}
		}), 0, 60).Draw(t, "edges")
		g := New(n, slices.Clone(edges))
		order, cycle := g.Order()
		if cycle != nil {
			for i, at := range cycle {
				if !slices.Contains(g.After(at), cycle[(i+len(cycle)-1)%len(cycle)]) {
					t.Fatalf("%v is not a cycle", cycle)
				}
			}
			return
		}
		place := make([]int, n)
		for i, at := range order {
			place[at] = i
		}
		if len(order) != n {
			t.Fatalf("%d of %d nodes", len(order), n)
		}
		for _, e := range edges {
			if place[e.From] >= place[e.To] {
				t.Fatalf("order %[2]v does not respect %[1]v", e, order)
			}
		}
	})
}
