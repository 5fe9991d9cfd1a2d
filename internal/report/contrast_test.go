package report

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestColorContrast computes the contrast of every text on every background of the pages
// (WCAG 2.2: 4.5), in both color schemes.
func TestColorContrast(t *testing.T) {
	light, dark, ok := strings.Cut(colorsCSS, "@media")
	if !ok {
		t.Fatal("no colours for the dark")
	}
	for name, css := range map[string]string{"light": light, "dark": dark} {
		colors := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
			colors[m[1]] = luminance(t, m[2])
		}
		if len(colors) != 14 {
			t.Fatalf("%s: %d colours, want 14", name, len(colors))
		}
		check := func(front, ground string, least float64) {
			a, b := colors[front], colors[ground]
			if ratio := (math.Max(a, b) + 0.05) / (math.Min(a, b) + 0.05); ratio < least {
				t.Errorf("%s: %s on %s has contrast %.2f, want %.1f", name, front, ground, ratio, least)
			}
		}
		for _, ground := range []string{"ground", "panel"} {
			for _, front := range []string{"text", "faint", "link", "good", "warn", "bad", "note"} {
				check(front, ground, 4.5)
			}
		}
		for _, kind := range []string{"good", "warn", "bad", "note"} {
			check(kind, kind+"-ground", 4.5)
			check("text", kind+"-ground", 4.5)
		}
	}
}

// TestStylesUseTheColors checks that the styles have no other colors, which the test above
// would not check.
func TestStylesUseTheColors(t *testing.T) {
	if found := regexp.MustCompile(`#[0-9a-f]{3,6}\b|rgb|hsl|: (white|black)`).FindAllString(pageCSS, -1); found != nil {
		t.Errorf("colours of their own: %q", found)
	}
	for _, m := range regexp.MustCompile(`var\(--([a-z-]+)\)`).FindAllStringSubmatch(pageCSS, -1) {
		if !strings.Contains(colorsCSS, "--"+m[1]+":") {
			t.Errorf("there is no colour %s", m[1])
		}
	}
}

// luminance returns the relative luminance of an sRGB color, from 0 to 1.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		v := float64(n) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}
