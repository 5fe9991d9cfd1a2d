package venv_test

import (
	"testing"

	"github.com/reconcile-ml/reconcile/pkg/resources/resourcetest"
	"github.com/reconcile-ml/reconcile/pkg/resources/venv"
)

func TestCases(t *testing.T) { resourcetest.Run(t, venv.Kind) }

func TestRemovals(t *testing.T) { resourcetest.Removals(t, venv.Kind) }
