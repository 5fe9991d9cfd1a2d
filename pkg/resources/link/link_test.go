package link_test

import (
	"testing"

	"github.com/reconcile-ml/reconcile/pkg/resources/link"
	"github.com/reconcile-ml/reconcile/pkg/resources/resourcetest"
)

func TestCases(t *testing.T) { resourcetest.Run(t, link.Kind) }

func TestRemovals(t *testing.T) { resourcetest.Removals(t, link.Kind) }
