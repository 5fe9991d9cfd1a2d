// Package graph sorts numbered nodes by their dependencies. Nodes are integers and all
// edges are in one slice, so that 100,000 of them need only a few allocations.
package graph

import (
	"container/heap"
	"slices"
)

// An Edge means that To depends on From.
type Edge struct{ From, To int32 }

// A Graph is nodes 0 to Len()-1 and the edges between them.
type Graph struct {
	after []int32 // the dependencies of each node, node by node
	start []int32 // where the dependencies of each node begin; one longer than the nodes
}

// New returns a graph of n nodes, and sorts edges. Duplicate edges count once.
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

// After returns the direct dependencies of i, ascending. The caller must not change the
// slice.
func (g *Graph) After(i int32) []int32 { return g.after[g.start[i]:g.start[i+1]] }

// Order returns the nodes in dependency order, the lowest number first among those that are
// ready. If there is a cycle it returns nil and the cycle: each node depends on the one
// before it, the first on the last.
func (g *Graph) Order() (order, cycle []int32) {
	if g.forward() {
		order = make([]int32, g.Len())
		for i := range order {
			order[i] = int32(i)
		}
		return order, nil
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

// forward reports whether the nodes are sorted already, as in most manifests.
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

// reverse returns the number of dependencies of each node, and the reversed graph.
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

// cycle returns a cycle among the nodes that are still waiting. Each of them depends on
// another one, so following dependencies must reach a node twice.
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
