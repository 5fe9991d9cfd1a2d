// Package bytesize reads and writes amounts of bytes as people write them: "30GB",
// "1.5 GiB". GB is 10^9 bytes, GiB is 2^30.
package bytesize

import (
	"fmt"
	"math/big"
	"strings"
)

// maxLen bounds what Parse looks at; no honest size is longer.
const maxLen = 40

// units are the names that Parse knows, in lower case, and their bytes.
var units = map[string]int64{
	"b":  1,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "pb": 1e15,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "pib": 1 << 50,
}

// Parse returns the bytes that a size such as "30GB", "1.5 GiB" or "512 B"
// stands for. A unit is required, since a bare number could mean either; only
// "0" goes without. An error says what is wrong with the text, which it quotes.
func Parse(s string) (int64, error) {
	if len(s) > maxLen {
		return 0, fmt.Errorf("size %.*q… is too long", maxLen, s)
	}
	if s == "0" {
		return 0, nil
	}
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	unit := s[len(digits):]
	number := strings.TrimSuffix(digits, " ")
	if !isDecimal(number) {
		return 0, fmt.Errorf("size %q is not a number and a unit, such as 30GB or 1.5GiB", s)
	}
	if unit == "" {
		return 0, fmt.Errorf("size %q has no unit: write %sGB, %sMB or %sB", s, number, number, number)
	}
	factor, ok := units[strings.ToLower(unit)]
	if !ok {
		return 0, fmt.Errorf("size %q has an unknown unit %q: use B, kB, MB, GB, TB or KiB, MiB, GiB, TiB", s, unit)
	}
	return times(s, number, factor)
}

// Decimal reports whether a size that Parse takes is written in units of 1000, as
// makers of disks and GPUs write it: "80GB", and not "80GiB" or a number of bytes.
func Decimal(s string) bool {
	unit := strings.ToLower(strings.TrimLeft(s, "0123456789. "))
	return len(unit) == 2 && units[unit] != 0
}

// times multiplies without rounding: 0.1 GB is exactly 100 MB.
func times(s, number string, factor int64) (int64, error) {
	n, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, fmt.Errorf("size %q is not a number and a unit, such as 30GB or 1.5GiB", s)
	}
	n.Mul(n, new(big.Rat).SetInt64(factor))
	if !n.IsInt() {
		return 0, fmt.Errorf("size %q is not a whole number of bytes", s)
	}
	if !n.Num().IsInt64() {
		return 0, fmt.Errorf("size %q is larger than any disk", s)
	}
	return n.Num().Int64(), nil
}

// isDecimal reports whether s is digits, or digits, one point and digits.
func isDecimal(s string) bool {
	whole, fraction, point := strings.Cut(s, ".")
	return allDigits(whole) && (!point || allDigits(fraction))
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Format writes an amount of bytes for people, in decimal units: "212.3 GB",
// "152 MB", "4.2 kB", "512 B". Gigabytes and more carry one decimal, smaller
// units only below ten, and a decimal of zero is left out.
func Format(n int64) string {
	if n < 0 {
		// The smallest int64 has no positive twin; one byte less reads the same.
		return "-" + Format(max(-n, -(n+1)))
	}
	scale, unit := int64(1), "B"
	for _, next := range []struct {
		scale int64
		unit  string
	}{{1e3, "kB"}, {1e6, "MB"}, {1e9, "GB"}, {1e12, "TB"}, {1e15, "PB"}} {
		// Half of the last digit shown earlier, so that nothing rounds up to 1000.
		if n < next.scale-scale/2 || (scale >= 1e9 && n < next.scale-scale/20) {
			break
		}
		scale, unit = next.scale, next.unit
	}
	if scale == 1 {
		return fmt.Sprintf("%d %s", n, unit)
	}
	tenths := n / (scale / 10)
	if n%(scale/10) >= scale/20 {
		tenths++
	}
	if scale >= 1e9 || tenths < 100 {
		return strings.TrimSuffix(fmt.Sprintf("%d.%d", tenths/10, tenths%10), ".0") + " " + unit
	}
	whole := n / scale
	if n%scale >= scale/2 {
		whole++
	}
	return fmt.Sprintf("%d %s", whole, unit)
}
