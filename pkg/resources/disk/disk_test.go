package disk_test

import (
	"testing"

	"github.com/reconcile-ml/reconcile/pkg/resources/disk"
	"github.com/reconcile-ml/reconcile/pkg/resources/resourcetest"
)

func TestCases(t *testing.T) { resourcetest.Run(t, disk.Kind) }
