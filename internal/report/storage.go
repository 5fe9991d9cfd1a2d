package report

import (
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// A storageView is the budget of a disk and its free space. Sizes are in bytes.
type storageView struct {
	Path     string
	Rows     [][2]string
	Verdict  string // "" without a budget
	State    CheckState
	Free     int64 // now
	Takes    int64 // by the plan
	Low      int64 // lowest sum of the budget
	High     int64 // highest sum of the budget
	Budgeted bool
}

func viewStorage(s *planner.Storage) *storageView {
	if s == nil {
		return nil
	}
	v := &storageView{Path: Escape(s.Path), Free: s.Free, Takes: s.Disk, Budgeted: len(s.Budget) > 0, State: OK}
	for _, b := range s.Budget {
		v.Low, v.High = addSize(v.Low, b.Low), addSize(v.High, b.High)
		v.Rows = append(v.Rows, [2]string{Escape(b.Item), sizeRange(b.Low, b.High)})
	}
	after := s.Free - s.Disk
	if v.Budgeted {
		v.Rows = append(v.Rows, [2]string{"total", sizeRange(v.Low, v.High)})
		switch {
		case after < v.Low:
			v.State, v.Verdict = Fail, fmt.Sprintf("not enough: %s are missing for the lowest figures", bytesize.Format(v.Low-after))
		case after < v.High:
			v.State, v.Verdict = Warn, fmt.Sprintf("enough for the lowest figures, %s are missing for the highest", bytesize.Format(v.High-after))
		default:
			v.Verdict = fmt.Sprintf("enough: %s are left with the whole budget used", bytesize.Format(after-v.High))
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
