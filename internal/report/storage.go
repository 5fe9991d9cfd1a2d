package report

import (
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// storage prints what a disk is meant for beside what is free on it, and whether
// that is enough.
func (p *page) storage(s *planner.Storage) {
	if s == nil {
		return
	}
	p.heading("Storage on " + Escape(s.Path))
	low, high := int64(0), int64(0)
	rows := make([][2]string, 0, len(s.Budget)+3)
	for _, b := range s.Budget {
		low, high = addSize(low, b.Low), addSize(high, b.High)
		rows = append(rows, [2]string{b.Item, sizeRange(b.Low, b.High)})
	}
	if len(s.Budget) > 0 {
		rows = append(rows, [2]string{"total", sizeRange(low, high)})
	}
	after := s.Free - s.Disk
	rows = append(
		rows,
		[2]string{"free now", bytesize.Format(s.Free)},
		[2]string{"free after apply", bytesize.Format(after)},
	)
	p.table(2, rows)
	if len(s.Budget) > 0 {
		text, c := enough(after, low, high)
		p.raw("  " + p.paint(c, text) + "\n")
	}
	p.blank()
}

// fits reports whether the lowest figures of a budget fit into what will be free.
func fits(s *planner.Storage) bool {
	if s == nil {
		return true
	}
	low := int64(0)
	for _, b := range s.Budget {
		low = addSize(low, b.Low)
	}
	return len(s.Budget) == 0 || s.Free-s.Disk >= low
}

// enough compares what is free after the apply with the budget.
func enough(after, low, high int64) (string, color) {
	switch {
	case after < low:
		return fmt.Sprintf("not enough: %s are missing for the lowest figures", bytesize.Format(low-after)), red
	case after < high:
		return fmt.Sprintf("enough for the lowest figures, %s are missing for the highest", bytesize.Format(high-after)), yellow
	}
	return fmt.Sprintf("enough: %s are left when all of it is there", bytesize.Format(after-high)), green
}

// addSize adds without wrapping round.
func addSize(a, b int64) int64 {
	if sum := a + b; sum >= a {
		return sum
	}
	return 1<<63 - 1
}

func sizeRange(low, high int64) string {
	if low == high {
		return bytesize.Format(low)
	}
	return bytesize.Format(low) + " - " + bytesize.Format(high)
}

// table prints rows of a name and a text, the texts under each other.
func (p *page) table(indent int, rows [][2]string) {
	width := 0
	for _, row := range rows {
		width = max(width, columns(Escape(row[0])))
	}
	for _, row := range rows {
		name := Escape(row[0])
		p.hang(indent, plain, name+spaces(width-columns(name)+2), row[1])
	}
}
