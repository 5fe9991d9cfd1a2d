package tool_test

import (
	"testing"

	"github.com/reconcile-ml/reconcile/pkg/resources/resourcetest"
	"github.com/reconcile-ml/reconcile/pkg/resources/tool"
)

func TestCases(t *testing.T) { resourcetest.Run(t, tool.Kind) }
