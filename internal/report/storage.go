package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// A storageView is the budget of a disk and its free space, and what the plan needs of each
// file system if there are several.
type storageView struct {
	Path    string // of the disk with the budget; "" for none
	Rows    [][2]string
	Verdict string // "" without a budget
	State   CheckState
}

func viewStorage(plan *planner.Plan) *storageView {
	v := &storageView{State: OK}
	if plan.Storage != nil {
		v.addBudget(plan.Storage)
	}
	needs := func(f planner.FileSystem) bool { return f.Disk > 0 }
	if len(plan.FileSystems) > 1 && (plan.Storage != nil || slices.ContainsFunc(plan.FileSystems, needs)) {
		for _, f := range plan.FileSystems {
			v.addFileSystem(f)
		}
	}
	if len(v.Rows) == 0 {
		return nil
	}
	return v
}

// addFileSystem adds a row, for example "/ (ext4): project, store" and "needs 5.6 GB of
// 53.9 GB free".
func (v *storageView) addFileSystem(f planner.FileSystem) {
	text := bytesize.Format(f.Free) + " free"
	if f.Disk > 0 {
		text = "needs " + bytesize.Format(f.Disk) + " of " + text
	}
	if f.Quota > 0 {
		text += ", quota " + bytesize.Format(f.Quota)
	}
	if f.Disk > f.Free {
		v.State = Fail
	}
	v.Rows = append(v.Rows, [2]string{Escape(fmt.Sprintf("%s on %s (%s)", strings.Join(f.Places, ", "), f.MountPoint, f.Type)), text})
}

func (v *storageView) addBudget(s *planner.Storage) {
	v.Path = Escape(s.Path)
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
}

// title is the heading without the path.
func (v *storageView) title() string {
	if v.Path == "" {
		return "Storage"
	}
	return "Storage on "
}

func (p *page) storage(v *storageView) {
	if v == nil {
		return
	}
	p.heading(v.title() + v.Path)
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
