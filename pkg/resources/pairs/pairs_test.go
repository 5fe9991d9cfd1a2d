package pairs_test

import (
	"testing"

	"github.com/reconcile-ml/reconcile/pkg/resources/pairs"
	"github.com/reconcile-ml/reconcile/pkg/resources/resourcetest"
)

func TestCases(t *testing.T) { resourcetest.Run(t, pairs.Kind) }
