// Package nearest finds the word that was meant: what a person typed against the words
// that there are. Case does not count, nor whether words are joined by - or _.
package nearest

import "strings"

// Word returns the word that v may have been meant to be, or "". A word is near when a
// third of its letters, one at least, would have to change.
func Word(v string, words []string) string {
	if v == "" || len(v) > 40 {
		return ""
	}
	v = fold(v)
	best, distance := "", 0
	for _, w := range words {
		d := edits(v, fold(w))
		if d <= max(1, min(len(w), len(v))/3) && (best == "" || d < distance) {
			best, distance = w, d
		}
	}
	return best
}

func fold(v string) string { return strings.ReplaceAll(strings.ToLower(v), "-", "_") }

// edits counts the letters to insert, delete, replace or swap with their
// neighbour to turn a into b.
func edits(a, b string) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(next[j]+1, row[j+1]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
