package graph

// Edges returns all edges, in the order of the nodes they lead to.
func (g *Graph) Edges() []Edge {
	edges := make([]Edge, 0, len(g.after))
	for to := range int32(g.Len()) {
		for _, from := range g.After(to) {
			edges = append(edges, Edge{From: from, To: to})
		}
	}
	return edges
}

// Reduced returns the edges without those that a longer way says already, in the
// order of the nodes they lead to. The graph must have no cycle. It takes as much
// time as nodes times edges, and is meant for what people look at.
func (g *Graph) Reduced() []Edge {
	var kept []Edge
	for to := range int32(g.Len()) {
		after := g.After(to)
		seen := make(map[int32]bool) // behind a longer way
		for _, from := range after {
			g.above(from, seen)
		}
		for _, from := range after {
			if !seen[from] {
				kept = append(kept, Edge{From: from, To: to})
			}
		}
	}
	return kept
}

// above adds all that i waits for, without i itself.
func (g *Graph) above(i int32, seen map[int32]bool) {
	for _, from := range g.After(i) {
		if !seen[from] {
			seen[from] = true
			g.above(from, seen)
		}
	}
}
