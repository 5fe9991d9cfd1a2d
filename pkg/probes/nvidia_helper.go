package probes

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// helperWord is the only argument of a helper process. See Prober.Helper.
const helperWord = "nvml-helper"

const sourceNVML = "nvml"

// askNVML queries NVML in a helper process.
func (p *Prober) askNVML(ctx context.Context) (facts.Nvidia, error) {
	r, err := p.driverCommand(ctx, p.Helper, helperWord)
	if err != nil {
		return facts.Nvidia{}, fmt.Errorf("query of %s: %s", libraryName, failure(r, err))
	}
	return parseHelper(r.Stdout)
}

// parseHelper reads the output of the helper.
func parseHelper(b []byte) (facts.Nvidia, error) {
	var n facts.Nvidia
	if err := json.Unmarshal(b, &n); err != nil || n.Source != sourceNVML || n.State != facts.DriverOK && n.State != facts.DriverBroken {
		return facts.Nvidia{}, fmt.Errorf("query of %s returned invalid output", libraryName)
	}
	return n, nil
}
