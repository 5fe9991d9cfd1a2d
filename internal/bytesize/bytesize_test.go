package bytesize

import (
	"math"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "0B": 0, "512 B": 512, "30GB": 30e9, "30 GB": 30e9, "16.1GB": 16_100_000_000,
		"1.5GiB": 3 << 29, "1kB": 1000, "1KB": 1000, "2tb": 2e12, "0.1GB": 1e8, "1PiB": 1 << 50,
	} {
		got, err := Parse(in)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %d, %v, want %d", in, got, err, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "not a number",
		"GB":                             "not a number",
		"30":                             "has no unit",
		"-1GB":                           "not a number",
		"1e3GB":                          "not a number",
		"1/3GB":                          "not a number",
		"1.GB":                           "not a number",
		".5GB":                           "not a number",
		"1  GB":                          "not a number",
		"30 gigs":                        "unknown unit",
		"1.5B":                           "not a whole number",
		"9999999PB":                      "too large",
		"1\x1b[0mGB":                     "not a number",
		strings.Repeat("1", 1000) + "GB": "too long",
	} {
		if n, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %d, %v, want an error with %q", in, n, err, want)
		}
	}
}

func TestDecimal(t *testing.T) {
	for s, want := range map[string]bool{"80GB": true, "80 gb": true, "1.5TB": true, "80GiB": false, "24576MiB": false, "512B": false, "0": false} {
		if got := Decimal(s); got != want {
			t.Errorf("Decimal(%q) = %v", s, got)
		}
	}
}

func TestFormat(t *testing.T) {
	for in, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1 kB", 1001: "1 kB", 4242: "4.2 kB", 9950: "10 kB", 12345: "12 kB",
		999_499: "999 kB", 999_500: "1 MB", 152_300_000: "152 MB", 999_499_999: "999 MB", 999_500_000: "1 GB",
		30e9: "30 GB", 30_040_000_000: "30 GB", 212_345_678_901: "212.3 GB", 16_100_000_000: "16.1 GB",
		999_949_999_999: "999.9 GB", 999_950_000_000: "1 TB", 2e12: "2 TB",
		-1_500_000_000: "-1.5 GB", math.MaxInt64: "9223.4 PB", math.MinInt64: "-9223.4 PB",
	} {
		if got := Format(in); got != want {
			t.Errorf("Format(%d) = %q, want %q", in, got, want)
		}
	}
}

// FuzzParse checks that Parse does not panic, and that Parse(Format(n)) is n within
// the precision of Format.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"30GB", "1.5 GiB", "0", "150MB", "9999999PB", "\x00GB", "1.0.0GB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := Parse(s)
		if err != nil {
			return
		}
		if n < 0 {
			t.Fatalf("Parse(%q) = %d", s, n)
		}
		again, err := Parse(Format(n))
		if err != nil {
			t.Fatalf("Parse(Format(%d)): %v", n, err)
		}
		if diff := math.Abs(float64(again) - float64(n)); diff > 0.051*float64(n) {
			t.Fatalf("Format(%d) = %q, which is %d", n, Format(n), again)
		}
	})
}
