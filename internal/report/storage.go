package report

import (
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// A storageView is the budget of a disk and its free space.
type storageView struct {
	Path    string
	Rows    [][2]string
	Verdict string // "" without a budget
	State   CheckState
}

func viewStorage(s *planner.Storage) *storageView {
	if s == nil {
		return nil
	}
	v := &storageView{Path: Escape(s.Path), State: OK}
	var low, high int64
	for _, b := range s.Budget {
		low, high = addSize(low, b.Low), addSize(high, b.High)
		v.Rows = append(v.Rows, [2]string{Escape(b.Item), sizeRange(b.Low, b.High)})
	}
	after := s.Free - s.Disk
	if len(s.Budget) > 0 {
		v.Rows = append(v.Rows, [2]string{"total", sizeRange(low, high)})
		switch {
		case after < low:
			v.State, v.Verdict = Fail, fmt.Sprintf("not enough: %s are missing for the lowest figures", bytesize.Format(low-after))
		case after < high:
			v.State, v.Verdict = Warn, fmt.Sprintf("enough for the lowest figures, %s are missing for the highest", bytesize.Format(high-after))
		default:
			v.Verdict = fmt.Sprintf("enough: %s are left with the whole budget used", bytesize.Format(after-high))
		}
	}
	v.Rows = append(v.Rows, [2]string{"free now", bytesize.Format(s.Free)}, [2]string{"free after apply", bytesize.Format(after)})
	return v
}

func (p *page) storage(v *storageView) {
	if v == nil {
		return
	}
	p.heading("Storage on " + v.Path)
	p.table(2, v.Rows)
	if v.Verdict != "" {
		p.raw("  " + p.paint(stateColor(v.State), v.Verdict) + "\n")
	}
	p.blank()
}

// addSize adds sizes; an overflow gives the largest size.
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
