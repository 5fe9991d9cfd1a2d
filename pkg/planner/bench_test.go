package planner_test

import (
	"fmt"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/directory"
)

// BenchmarkMake plans directories that all exist already: the cost of the planner alone.
// It must be linear in the number of resources.
func BenchmarkMake(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			list := make([]resources.Resource, n)
			f := &facts.Facts{}
			f.Grow(n)
			for i := range list {
				path := fmt.Sprintf("d/%03d/%d", i/100, i)
				list[i] = resources.Resource{Addr: resources.Addr{Kind: "directory", Name: path}, Spec: &directory.Spec{Path: path}}
				f.Set(facts.Path{Path: path, Type: facts.Dir, Mode: 0o755})
			}
			for b.Loop() {
				p, err := planner.Make(list, f)
				if err != nil || p.Unchanged != n {
					b.Fatal(p, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/resource")
		})
	}
}
