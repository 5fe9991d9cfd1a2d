// Package plural formats counts with a noun.
package plural

import "fmt"

// Count returns "1 package", "2 packages". The plural of noun must end in s.
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
