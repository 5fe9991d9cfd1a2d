// Package graph orders numbered nodes so that each comes after those it waits
// for. Nodes are small integers and edges lie in one slice, so that a hundred
// thousand of them cost a few allocations.
package graph

import (
	"container/heap"
	"slices"
)

// An Edge says that To waits for From.
type Edge struct{ From, To int32 }

// A Graph is nodes 0 to Len()-1 and the edges between them.
type Graph struct {
	after []int32 // the nodes that each node waits for, node by node
	start []int32 // where each node's part of after begins; one longer than the nodes
}

// New makes a graph of n nodes. Doubled edges count once.
func New(n int, edges []Edge) *Graph {
	slices.SortFunc(edges, func(a, b Edge) int {
		if a.To != b.To {
			return int(a.To - b.To)
		}
		return int(a.From - b.From)
	})
	edges = slices.Compact(edges)
	g := &Graph{after: make([]int32, len(edges)), start: make([]int32, n+1)}
	for i, e := range edges {
		g.after[i] = e.From
		g.start[e.To+1]++
	}
	for i := range n {
		g.start[i+1] += g.start[i]
	}
	return g
}

// Len returns the number of nodes.
func (g *Graph) Len() int { return len(g.start) - 1 }

// After returns the nodes that i waits for, ascending. The caller must not
// change the slice.
func (g *Graph) After(i int32) []int32 { return g.after[g.start[i]:g.start[i+1]] }

// Order returns every node after those it waits for, the lowest number first
// wherever there is a choice. If that cannot be done it returns nil and one
// cycle: each node waits for the one before it, the first for the last.
func (g *Graph) Order() (order, cycle []int32) {
	if g.forward() {
		return numbered(g.Len()), nil
	}
	waiting, readers := g.reverse()
	var ready minHeap
	for i, n := range waiting {
		if n == 0 {
			ready = append(ready, int32(i))
		}
	}
	for len(ready) > 0 {
		i := heap.Pop(&ready).(int32)
		order = append(order, i)
		for _, r := range readers.After(i) {
			if waiting[r]--; waiting[r] == 0 {
				heap.Push(&ready, r)
			}
		}
	}
	if len(order) < g.Len() {
		return nil, g.cycle(waiting)
	}
	return order, nil
}

// forward reports whether counting up is an order already, as it is for most
// manifests.
func (g *Graph) forward() bool {
	for i := range int32(g.Len()) {
		for _, from := range g.After(i) {
			if from >= i {
				return false
			}
		}
	}
	return true
}

// reverse returns how many nodes each waits for, and the graph of who waits for
// whom the other way round.
func (g *Graph) reverse() ([]int32, *Graph) {
	waiting := make([]int32, g.Len())
	edges := make([]Edge, 0, len(g.after))
	for i := range int32(g.Len()) {
		waiting[i] = int32(len(g.After(i)))
		for _, from := range g.After(i) {
			edges = append(edges, Edge{From: i, To: from})
		}
	}
	return waiting, New(g.Len(), edges)
}

// cycle finds a cycle among the nodes that still wait: each of them waits for
// another such node, so walking that way must come back to where it was.
func (g *Graph) cycle(waiting []int32) []int32 {
	at := int32(slices.IndexFunc(waiting, func(n int32) bool { return n > 0 }))
	seen := make(map[int32]int)
	var path []int32
	for {
		if from, ok := seen[at]; ok {
			path = path[from:]
			slices.Reverse(path)
			return path
		}
		seen[at] = len(path)
		path = append(path, at)
		for _, from := range g.After(at) {
			if waiting[from] > 0 {
				at = from
				break
			}
		}
	}
}

func numbered(n int) []int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	return order
}

type minHeap []int32

func (h minHeap) Len() int           { return len(h) }
func (h minHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h minHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *minHeap) Push(x any)        { *h = append(*h, x.(int32)) }
func (h *minHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
