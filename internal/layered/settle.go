package layered

// rounds is how often heights are evened out between neighbouring columns.
const rounds = 10

// settle gives each spot its height: at first as tight as can be, then as near to
// its neighbours as the order of its column allows.
func (l *layout) settle() {
	for _, column := range l.columns {
		y := margin + Height/2.0
		for i, s := range column {
			if i > 0 {
				y += l.apart(column[i-1], s)
			}
			l.spots[s].y = y
		}
	}
	for round := range rounds {
		for c := range l.columns {
			if round%2 == 1 {
				c = len(l.columns) - 1 - c
			}
			l.even(l.columns[c])
		}
	}
	top := 0.0
	for i := range l.spots {
		if y := l.spots[i].y; i == 0 || y < top {
			top = y
		}
	}
	for i := range l.spots {
		l.spots[i].y += margin + Height/2.0 - top
	}
}

// apart is how far the middles of two spots above each other must be.
func (l *layout) apart(a, b int) float64 {
	half := func(s int) float64 {
		if l.spots[s].isBend() {
			return bendGap
		}
		return (Height + rowGap) / 2.0
	}
	return half(a) + half(b)
}

// even moves the spots of one column to the mean height of their neighbours, each as
// near as the others let it: the order and the distances stay. That is the isotonic
// regression of the wishes, by pooling those that contradict each other.
func (l *layout) even(column []int) {
	type pool struct {
		sum   float64
		count int
	}
	var pools []pool
	offset := 0.0
	offsets := make([]float64, len(column))
	for i, s := range column {
		if i > 0 {
			offset += l.apart(column[i-1], s)
		}
		offsets[i] = offset
		pools = append(pools, pool{l.wish(s) - offset, 1})
		for n := len(pools); n > 1 && pools[n-2].sum/float64(pools[n-2].count) >= pools[n-1].sum/float64(pools[n-1].count); n-- {
			pools[n-2].sum += pools[n-1].sum
			pools[n-2].count += pools[n-1].count
			pools = pools[:n-1]
		}
	}
	i := 0
	for _, p := range pools {
		for range p.count {
			l.spots[column[i]].y = p.sum/float64(p.count) + offsets[i]
			i++
		}
	}
}

// wish is the mean height of a spot's neighbours.
func (l *layout) wish(s int) float64 {
	sum, n := 0.0, 0
	for _, side := range [][]int{l.spots[s].left, l.spots[s].right} {
		for _, other := range side {
			sum += l.spots[other].y
			n++
		}
	}
	if n == 0 {
		return l.spots[s].y
	}
	return sum / float64(n)
}
