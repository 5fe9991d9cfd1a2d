package manifest

import (
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/pkg/resources/disk"
)

// Storage is the disk space that the project needs. Sizes are in bytes, 0 for no limit.
type Storage struct {
	Path      string
	WarnBelow int64
	FailBelow int64
	Budget    []disk.Budget
	Pos       diag.Pos
	pathPos   diag.Pos
}

var (
	storageShape = shape{what: "storage", keys: []string{"path", "warn_below", "fail_below", "budget"}, required: 1}
	budgetShape  = shape{what: "an item of the budget", keys: []string{"item", "size"}, required: 2}
)

func (l *loader) storage(v value) {
	f, ok := v.object(&storageShape)
	if !ok {
		return
	}
	s := &Storage{Pos: v.pos()}
	if p := f.get("path"); p.given() && p.node.Value == "." {
		s.Path, _ = p.scalar()
		s.pathPos = p.pos()
	} else {
		s.Path, s.pathPos = p.path()
	}
	warn := f.get("warn_below")
	s.WarnBelow, s.FailBelow = warn.size(), f.get("fail_below").size()
	if s.WarnBelow > 0 && s.WarnBelow < s.FailBelow {
		warn.problem("value", "warn_below is smaller than fail_below, so it could never warn", quote(warn.node.Value), "swap the two sizes")
	}
	for item := range f.get("budget").items("an item of the budget") {
		if b, ok := item.object(&budgetShape); ok {
			low, high := b.get("size").sizes()
			s.Budget = append(s.Budget, disk.Budget{Item: b.get("item").text(), Low: low, High: high})
		}
	}
	l.m.Storage = s
}
