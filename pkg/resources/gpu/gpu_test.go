package gpu_test

import (
	"testing"

	"github.com/reconcile-ml/reconcile/pkg/resources/gpu"
	"github.com/reconcile-ml/reconcile/pkg/resources/resourcetest"
)

func TestCases(t *testing.T) { resourcetest.Run(t, gpu.Kind) }
