package audit

import (
	"context"

	"github.com/reconcile-ml/reconcile/internal/report"
)

func (a *auditor) addLicenses(context.Context, *report.Audit) error { return nil }
