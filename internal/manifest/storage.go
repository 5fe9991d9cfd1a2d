package manifest

import (
	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/pkg/resources/disk"
)

// Storage is how much room the project needs. Sizes are bytes, 0 is no limit.
type Storage struct {
	Path      string
	WarnBelow int64
	FailBelow int64
	Budget    []disk.Budget
	Pos       diag.Pos
	pathPos   diag.Pos
}

var (
	storageShape = shape{"storage", []string{"path", "warn_below", "fail_below", "budget"}, 1}
	budgetShape  = shape{"an item of the budget", []string{"item", "size"}, 2}
)

func (l *loader) storage(n *yaml.Node) {
	var v [4]*yaml.Node
	if n == nil || !l.object(n, &storageShape, v[:]) {
		return
	}
	s := &Storage{Pos: l.at(n)}
	if v[0] != nil {
		s.pathPos = l.at(v[0])
		if v[0].Value == "." && v[0].Kind == yaml.ScalarNode {
			s.Path = "."
		} else {
			s.Path = l.path(v[0], "path")
		}
	}
	s.WarnBelow, s.FailBelow = l.size(v[1], "warn_below"), l.size(v[2], "fail_below")
	if s.WarnBelow > 0 && s.WarnBelow < s.FailBelow {
		l.problem(v[1], "value", "warn_below is smaller than fail_below, so it could never warn", quote(v[1].Value), "swap the two sizes")
	}
	for _, item := range l.items(v[3], "budget") {
		var b [2]*yaml.Node
		if !l.object(item, &budgetShape, b[:]) || b[0] == nil || b[1] == nil {
			continue
		}
		name, _ := l.text(b[0], "item")
		low, high := l.sizes(b[1], "size")
		s.Budget = append(s.Budget, disk.Budget{Item: name, Low: low, High: high})
	}
	l.m.Storage = s
}
