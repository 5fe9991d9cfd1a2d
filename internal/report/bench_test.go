package report_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/report"
)

// BenchmarkPlan measures printing without planning: text and JSON.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		plan := manyPlan(n)
		b.Run(fmt.Sprintf("text/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := report.Plan(io.Discard, plan, report.Options{Width: 80, Color: true}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("json/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := report.PlanJSON(io.Discard, plan); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
