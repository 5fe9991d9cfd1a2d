package directory_test

import (
	"testing"

	"github.com/reconcile-ml/reconcile/pkg/resources/directory"
	"github.com/reconcile-ml/reconcile/pkg/resources/resourcetest"
)

func TestCases(t *testing.T) { resourcetest.Run(t, directory.Kind) }

func TestRemovals(t *testing.T) { resourcetest.Removals(t, directory.Kind) }
