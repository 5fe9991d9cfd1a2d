// Package plural formats counts with a noun.
package plural

import (
	"fmt"
	"strings"
)

// Count returns "1 package", "2 packages", "2 vulnerabilities". The plural of noun must end in s.
func Count(n int, noun string) string {
	if stem, ok := strings.CutSuffix(noun, "ity"); ok && n != 1 {
		noun = stem + "ities"
	} else if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
