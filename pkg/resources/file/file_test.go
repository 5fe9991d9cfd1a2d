package file_test

import (
	"testing"

	"github.com/reconcile-ml/reconcile/pkg/resources/file"
	"github.com/reconcile-ml/reconcile/pkg/resources/resourcetest"
)

func TestCases(t *testing.T) { resourcetest.Run(t, file.Kind) }

func TestRemovals(t *testing.T) { resourcetest.Removals(t, file.Kind) }
