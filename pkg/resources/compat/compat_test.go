package compat_test

import (
	"slices"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources/compat"
	"github.com/reconcile-ml/reconcile/pkg/resources/resourcetest"
)

func TestCases(t *testing.T) { resourcetest.Run(t, compat.Kind) }

func TestRelevant(t *testing.T) {
	closure := []lock.Dist{
		{Name: "nvidia-cuda-runtime-cu12", Version: "12.1.105"}, {Name: "numpy", Version: "1.26.4"},
		{Name: "transformers", Version: "4.43.4"}, {Name: "torch", Version: "2.1.2"}, {Name: "bitsandbytes", Version: "0.43.3"},
	}
	want := []compat.Package{{"bitsandbytes", "0.43.3"}, {"nvidia-cuda-runtime-cu12", "12.1.105"}, {"torch", "2.1.2"}, {"transformers", "4.43.4"}}
	if got := compat.Relevant(closure); !slices.Equal(got, want) {
		t.Errorf("Relevant returned %v, want %v", got, want)
	}
	for _, closure := range [][]lock.Dist{nil, {{Name: "transformers", Version: "4.43.4"}}} {
		if got := compat.Relevant(closure); got != nil {
			t.Errorf("without torch and CUDA: %v", got)
		}
	}
}
