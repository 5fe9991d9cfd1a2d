package probes

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// helperWord is the one argument with which a program of ours is asked what NVML
// says. See Prober.Helper.
const helperWord = "nvml-helper"

const sourceNVML = "nvml"

// askNVML starts our own program to ask NVML. An error says that there is no
// answer in what it left.
func (p *Prober) askNVML(ctx context.Context) (facts.Nvidia, error) {
	r, err := p.driverCommand(ctx, p.Helper, helperWord)
	if err != nil {
		return facts.Nvidia{}, fmt.Errorf("asking %s: %s", libraryName, ending(r, err))
	}
	return parseHelper(r.Stdout)
}

// parseHelper reads what the helper printed.
func parseHelper(b []byte) (facts.Nvidia, error) {
	var n facts.Nvidia
	if err := json.Unmarshal(b, &n); err != nil || n.Source != sourceNVML || n.State != facts.DriverOK && n.State != facts.DriverBroken {
		return facts.Nvidia{}, fmt.Errorf("asking %s gave nothing that can be read", libraryName)
	}
	return n, nil
}
