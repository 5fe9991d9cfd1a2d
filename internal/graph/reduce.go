package graph

// Edges returns all edges, ordered by To.
func (g *Graph) Edges() []Edge {
	edges := make([]Edge, 0, len(g.after))
	for to := range int32(g.Len()) {
		for _, from := range g.After(to) {
			edges = append(edges, Edge{From: from, To: to})
		}
	}
	return edges
}

// Reduced returns the transitive reduction, ordered by To. The graph must have no cycle. It
// takes time proportional to nodes times edges, so it is for graphs that people read.
func (g *Graph) Reduced() []Edge {
	var kept []Edge
	for to := range int32(g.Len()) {
		after := g.After(to)
		seen := make(map[int32]bool) // indirect dependencies
		for _, from := range after {
			g.addDependencies(from, seen)
		}
		for _, from := range after {
			if !seen[from] {
				kept = append(kept, Edge{From: from, To: to})
			}
		}
	}
	return kept
}

// addDependencies adds all dependencies of i, direct and indirect.
func (g *Graph) addDependencies(i int32, seen map[int32]bool) {
	for _, from := range g.After(i) {
		if !seen[from] {
			seen[from] = true
			g.addDependencies(from, seen)
		}
	}
}
