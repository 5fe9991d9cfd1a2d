package layered

import (
	"cmp"
	"slices"
)

// sweeps is how often the columns are sorted there and back. More than a few
// change nothing in graphs that people can read.
const sweeps = 12

// sortColumns orders each column by where the neighbours of its spots stand, and
// keeps the best order that it came across.
func (l *layout) sortColumns() {
	best, least := l.clone(), l.crossings()
	for sweep := 0; sweep < sweeps && least > 0; sweep++ {
		if sweep%2 == 0 {
			for c := 1; c < len(l.columns); c++ {
				l.sortColumn(c, func(s *spot) []int { return s.left })
			}
		} else {
			for c := len(l.columns) - 2; c >= 0; c-- {
				l.sortColumn(c, func(s *spot) []int { return s.right })
			}
		}
		if n := l.crossings(); n < least {
			best, least = l.clone(), n
		}
	}
	l.columns = best
}

func (l *layout) clone() [][]int {
	out := make([][]int, len(l.columns))
	for i := range out {
		out[i] = slices.Clone(l.columns[i])
	}
	return out
}

// ranks returns where each spot stands in its column.
func (l *layout) ranks() []int {
	rank := make([]int, len(l.spots))
	for _, column := range l.columns {
		for i, s := range column {
			rank[s] = i
		}
	}
	return rank
}

// sortColumn sorts by the mean rank of the neighbours on one side. A spot without
// any keeps its rank.
func (l *layout) sortColumn(c int, neighbours func(*spot) []int) {
	rank := l.ranks()
	mean := make(map[int]float64, len(l.columns[c]))
	for _, s := range l.columns[c] {
		list := neighbours(&l.spots[s])
		if len(list) == 0 {
			mean[s] = float64(rank[s])
			continue
		}
		sum := 0
		for _, other := range list {
			sum += rank[other]
		}
		mean[s] = float64(sum) / float64(len(list))
	}
	slices.SortStableFunc(l.columns[c], func(a, b int) int { return cmp.Compare(mean[a], mean[b]) })
}

// crossings counts the pairs of pieces between neighbouring columns that cross.
func (l *layout) crossings() int {
	rank := l.ranks()
	n := 0
	for _, column := range l.columns {
		var pieces [][2]int
		for i, s := range column {
			for _, to := range l.spots[s].right {
				pieces = append(pieces, [2]int{i, rank[to]})
			}
		}
		for i, a := range pieces {
			for _, b := range pieces[i+1:] {
				if (a[0]-b[0])*(a[1]-b[1]) < 0 {
					n++
				}
			}
		}
	}
	return n
}
