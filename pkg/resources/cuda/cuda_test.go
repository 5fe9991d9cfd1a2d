package cuda_test

import (
	"testing"

	"github.com/reconcile-ml/reconcile/pkg/resources/cuda"
	"github.com/reconcile-ml/reconcile/pkg/resources/resourcetest"
)

func TestCases(t *testing.T) { resourcetest.Run(t, cuda.Kind) }
