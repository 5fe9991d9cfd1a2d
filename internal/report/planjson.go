package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

type planDocument struct {
	Version     int              `json:"version"`
	Environment string           `json:"environment,omitempty"` // of several the default
	Selected    []string         `json:"selected,omitempty"`    // the environments, if there are several
	Root        string           `json:"root"`
	Host        string           `json:"host"`
	Platform    string           `json:"platform"`
	Items       []planItem       `json:"items"`
	Unchanged   int              `json:"unchanged"` // resources without a difference, which are not in items
	Totals      planner.Totals   `json:"totals"`
	Need        resources.Need   `json:"need"`
	Storage     *planner.Storage `json:"storage,omitempty"`
	// FileSystems are those of the project, the store and the models.
	FileSystems []planner.FileSystem `json:"file_systems,omitempty"`
	Notes       []string             `json:"notes,omitempty"`
	// Excluded is the resources excluded by --target, --exclude and answers to conflicts.
	// Totals and Unchanged do not count them.
	Excluded *planner.Excluded `json:"left_out,omitempty"`
}

// planItem is one check or change.
type planItem struct {
	Addr     resources.Addr   `json:"addr"`
	Owns     string           `json:"owns"`
	Pos      diag.Pos         `json:"pos,omitzero"`
	Check    bool             `json:"check,omitempty"`
	Drift    bool             `json:"drift,omitempty"`    // the machine changed since the last apply
	Pending  bool             `json:"pending,omitempty"`  // the manifest changed since the last apply
	Orphan   bool             `json:"orphan,omitempty"`   // it is not in the manifest any more
	Conflict bool             `json:"conflict,omitempty"` // it would overwrite another change
	Renew    bool             `json:"renew,omitempty"`    // recreated because of --replace
	From     resources.Addr   `json:"from,omitzero"`      // previous address
	Change   resources.Change `json:"change"`
	Steps    json.RawMessage  `json:"steps,omitempty"`
	After    []int            `json:"after,omitempty"` // indices of the items that it depends on
}

// PlanJSON writes a plan as one document. Steps are encoded by resources.MarshalSteps.
func PlanJSON(w io.Writer, plan *planner.Plan) error {
	doc := planDocument{
		Version: Version, Environment: plan.Environment, Selected: plan.Environments, Root: plan.Root, Host: plan.Host, Platform: plan.Platform,
		Items: make([]planItem, len(plan.Items)), Unchanged: plan.Unchanged, Totals: plan.Totals(),
		Need: planNeed(plan), Storage: plan.Storage, FileSystems: plan.FileSystems, Notes: plan.AllNotes(), Excluded: plan.Excluded,
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
