package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// planDocument is a plan for programs, format version 1.
type planDocument struct {
	Version     int              `json:"version"`
	Environment string           `json:"environment,omitempty"`
	Root        string           `json:"root"`
	Host        string           `json:"host"`
	Platform    string           `json:"platform"`
	Items       []planItem       `json:"items"`
	Unchanged   int              `json:"unchanged"` // resources that agree and are left out
	Totals      planner.Totals   `json:"totals"`
	Need        resources.Need   `json:"need"`
	Storage     *planner.Storage `json:"storage,omitempty"`
	Notes       []string         `json:"notes,omitempty"`
	// LeftOut is what --target, --exclude and answers to conflicts leave out. Totals
	// and Unchanged do not count it.
	LeftOut *planner.Excluded `json:"left_out,omitempty"`
}

// planItem is one check or change. After holds the indices of the items that
// come before it.
type planItem struct {
	Addr  resources.Addr `json:"addr"`
	Owns  string         `json:"owns"`
	Pos   diag.Pos       `json:"pos,omitzero"`
	Check bool           `json:"check,omitempty"`
	// Drift says that the machine is not as it was left, Pending that the manifest asks
	// for something else than then, Orphan that it no longer asks for this at all; From
	// is the address that it had before.
	Drift   bool `json:"drift,omitempty"`
	Pending bool `json:"pending,omitempty"`
	Orphan  bool `json:"orphan,omitempty"`
	// Conflict says that somebody changed what the change overwrites, Renew that it is
	// made anew since --replace asks for that.
	Conflict bool             `json:"conflict,omitempty"`
	Renew    bool             `json:"renew,omitempty"`
	From     resources.Addr   `json:"from,omitzero"`
	Change   resources.Change `json:"change"`
	Steps    json.RawMessage  `json:"steps,omitempty"`
	After    []int            `json:"after,omitempty"`
}

// PlanJSON writes a plan as one document with format version 1. Steps are
// written as resources.MarshalSteps does.
func PlanJSON(w io.Writer, plan *planner.Plan) error {
	doc := planDocument{
		Version: Version, Environment: plan.Environment, Root: plan.Root, Host: plan.Host, Platform: plan.Platform,
		Items: make([]planItem, len(plan.Items)), Unchanged: plan.Unchanged, Totals: plan.Totals(),
		Need: planNeed(plan), Storage: plan.Storage, Notes: plan.AllNotes(),
		LeftOut: plan.Excluded,
	}
	for i := range plan.Items {
		item := &plan.Items[i]
		doc.Items[i] = planItem{
			Addr: item.Resource.Addr, Owns: item.Resource.Spec.Owns().String(), Pos: item.Resource.Pos,
			Check: item.Check, Change: item.Change, After: item.After,
			Drift: item.Drift, Pending: item.Pending, Orphan: item.Orphan, From: item.From,
			Conflict: item.Conflict, Renew: item.Recreate,
		}
		if len(item.Change.Steps) == 0 {
			continue
		}
		steps, err := resources.MarshalSteps(item.Change.Steps)
		if err != nil {
			return fmt.Errorf("encode the steps of %s: %w", item.Resource.Addr, err)
		}
		doc.Items[i].Steps = steps
	}
	return writeJSON(w, doc, "  ")
}
