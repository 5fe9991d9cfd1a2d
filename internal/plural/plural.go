// Package plural writes numbers of things as people read them.
package plural

import "fmt"

// Count is "1 package", "2 packages". noun is a word whose plural ends in s.
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
