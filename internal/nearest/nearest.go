// Package nearest finds the known word that a misspelled word resembles most. It ignores
// case, and treats - and _ as equal.
package nearest

import "strings"

// Word returns the nearest of words to s, or "" if none is near. A word is near if at most
// a third of its letters, or one, have to change.
func Word(s string, words []string) string {
	if s == "" || len(s) > 40 {
		return ""
	}
	s = fold(s)
	best, distance := "", 0
	for _, w := range words {
		d := edits(s, fold(w))
		if d <= max(1, min(len(w), len(s))/3) && (best == "" || d < distance) {
			best, distance = w, d
		}
	}
	return best
}

func fold(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }

// edits returns the number of letters to insert, delete, replace or swap with their
// neighbour to turn a into b.
func edits(a, b string) int {
	previous, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
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
				next[j+1] = min(next[j+1], previous[j-1]+1)
			}
		}
		previous, row, next = row, next, previous
	}
	return row[len(b)]
}
