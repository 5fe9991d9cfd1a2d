package report

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
)

// htmlBar is a disk as a bar: used space, the need of the plan, the budget, and the rest.
type htmlBar struct {
	Path, Verdict string
	Drawing       template.HTML
	Legend        []barPart
}

// barPart is one part of the bar.
type barPart struct {
	Class, Name, Size string
	bytes             int64
}

// barWidth is the width of the drawing in SVG units.
const barWidth = 1000

// newBar returns the bar for the disk of a plan, nil if the plan has none.
func newBar(s *storageView, m Machine) *htmlBar {
	if s == nil {
		return nil
	}
	capacity := s.Free // if the size of the disk is unknown
	for _, d := range runrecord.InstalledOn(m.Facts).Disks {
		if d.Path == m.Plan.Storage.Path {
			capacity = max(d.Total, s.Free)
		}
	}
	b := &htmlBar{Path: s.Path, Verdict: s.Verdict}
	b.add("used", "in use now", capacity-s.Free)
	b.add("plan", "taken by this plan", s.Takes)
	if s.Budgeted {
		b.add("low", "budget, lowest figures", s.Low)
		b.add("high", "budget, up to the highest figures", s.High-s.Low)
	}
	left := capacity
	for _, part := range b.Legend {
		left -= part.bytes
	}
	if left >= 0 {
		b.add("left", "left with the whole budget used", left)
	} else {
		b.Legend = append(b.Legend, barPart{Class: "none", Name: "missing", Size: bytesize.Format(-left)})
	}
	b.Drawing = b.draw(capacity)
	return b
}

func (b *htmlBar) add(class, name string, n int64) {
	b.Legend = append(b.Legend, barPart{class, name, bytesize.Format(n), n})
}

// draw draws the parts, and a line at the end of the disk if they need more.
func (b *htmlBar) draw(capacity int64) template.HTML {
	sum := int64(0)
	words := make([]string, 0, len(b.Legend))
	for _, part := range b.Legend {
		sum = addSize(sum, part.bytes)
		words = append(words, part.Name+" "+part.Size)
	}
	scale := barWidth / float64(max(sum, capacity, 1))
	var out strings.Builder
	fmt.Fprintf(&out, `<svg class="bar" viewBox="0 0 %d 40" preserveAspectRatio="none" role="img" aria-label="%s">`, barWidth, template.HTMLEscapeString(strings.Join(words, ", ")))
	out.WriteString(`<defs><pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V8"/></pattern></defs>`)
	fmt.Fprintf(&out, `<rect class="whole" x="0" y="0" width="%d" height="40"/>`, barWidth)
	x := 0.0
	for _, part := range b.Legend {
		width := float64(part.bytes) * scale
		if part.Class != "left" && width > 0 {
			fmt.Fprintf(&out, `<rect class="%s" x="%s" y="0" width="%s" height="40"/>`, part.Class, px(x), px(width))
		}
		x += width
	}
	if sum > capacity {
		fmt.Fprintf(&out, `<path class="end" d="M%s 0V40"/>`, px(float64(capacity)*scale))
	}
	out.WriteString("</svg>")
	return template.HTML(out.String())
}

// px formats a length in units of the drawing, with at most one decimal.
func px(n float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(n, 'f', 1, 64), ".0")
}
