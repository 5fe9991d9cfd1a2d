// Package bytesize parses and formats sizes in bytes: "30GB", "1.5 GiB". GB is 10^9 bytes,
// GiB is 2^30.
package bytesize

import (
	"fmt"
	"math/big"
	"strings"
)

// maxLen is the maximum length that Parse accepts.
const maxLen = 40

// unitBytes returns the bytes of a unit in lower case, or 0.
func unitBytes(unit string) int64 {
	for i, name := range []string{"kb", "mb", "gb", "tb", "pb"} {
		if unit == name {
			return []int64{1e3, 1e6, 1e9, 1e12, 1e15}[i]
		}
		if unit == name[:1]+"ib" {
			return 1 << (10 * (i + 1))
		}
	}
	if unit == "b" {
		return 1
	}
	return 0
}

// Parse returns the bytes of a size such as "30GB", "1.5 GiB" or "512 B". It requires a
// unit, except for "0". The error quotes the text.
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
	whole, fraction, point := strings.Cut(number, ".")
	if !isDigits(whole) || point && !isDigits(fraction) {
		return 0, fmt.Errorf("size %q is not a number and a unit, such as 30GB or 1.5GiB", s)
	}
	if unit == "" {
		return 0, fmt.Errorf("size %q has no unit: write %sGB, %sMB or %sB", s, number, number, number)
	}
	factor := unitBytes(strings.ToLower(unit))
	if factor == 0 {
		return 0, fmt.Errorf("size %q has an unknown unit %q: use B, kB, MB, GB, TB or KiB, MiB, GiB, TiB", s, unit)
	}
	n, _ := new(big.Rat).SetString(number) // exact: 0.1 GB is 100 MB
	n.Mul(n, new(big.Rat).SetInt64(factor))
	if !n.IsInt() {
		return 0, fmt.Errorf("size %q is not a whole number of bytes", s)
	}
	if !n.Num().IsInt64() {
		return 0, fmt.Errorf("size %q is too large", s)
	}
	return n.Num().Int64(), nil
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// Decimal reports whether a valid size has a unit of powers of 1000, as disks and GPUs are
// advertised: "80GB", but not "80GiB" or "512B".
func Decimal(s string) bool {
	unit := strings.ToLower(strings.TrimLeft(s, "0123456789. "))
	return len(unit) == 2 && unitBytes(unit) != 0
}

// Format returns a size in decimal units: "212.3 GB", "152 MB", "4.2 kB", "512 B". It has
// one decimal from gigabytes on and for less than ten of a smaller unit; a decimal of zero
// is left out.
func Format(n int64) string {
	if n < 0 {
		// The smallest int64 has no positive counterpart; one byte less has the same text.
		return "-" + Format(max(-n, -(n+1)))
	}
	scale, unit := int64(1), "B"
	for _, next := range []struct {
		scale int64
		unit  string
	}{{1e3, "kB"}, {1e6, "MB"}, {1e9, "GB"}, {1e12, "TB"}, {1e15, "PB"}} {
		// The limits are half of the last digit lower, so that nothing is rounded up to 1000.
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
