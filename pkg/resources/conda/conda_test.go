package conda_test

import (
	"testing"

	"github.com/reconcile-ml/reconcile/pkg/resources/conda"
	"github.com/reconcile-ml/reconcile/pkg/resources/resourcetest"
)

func TestCases(t *testing.T) { resourcetest.Run(t, conda.Kind) }

func TestRemovals(t *testing.T) { resourcetest.Removals(t, conda.Kind) }
