package history

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/file"
)

// PlanUndo plans to give the files of the last apply their earlier content. A file that was
// changed since blocks the plan.
func PlanUndo(ctx context.Context, m *session.Machine) (*planner.Plan, error) {
	if m.StateErr != nil {
		return nil, m.StateErr
	}
	last, err := lastChange(m)
	if err != nil {
		return nil, err
	}
	list, others, err := undoResources(m, last)
	if err != nil {
		return nil, err
	}
	known := m.Probe(ctx, planner.Keys(list))
	known.Merge(m.Base)
	plan, err := planner.Prior{State: m.Prior.State}.MakeWithoutPrune(list, known)
	if err != nil {
		return nil, err
	}
	if others > 0 {
		verb := "are"
		if others == 1 {
			verb = "is"
		}
		plan.Notices = append(plan.Notices, fmt.Sprintf("%s of the last apply %s not of a file: directories and links stay, and `reconcile rollback` goes back to the environment before",
			plural.Count(others, "change"), verb))
	}
	return plan, nil
}

// lastChange returns the newest recorded apply that changed anything.
func lastChange(m *session.Machine) (*runrecord.Record, error) {
	records, names, err := open(m.Project)
	if err != nil {
		return nil, err
	}
	defer records.Close()
	for _, name := range slices.Backward(names) {
		r, err := records.Read(name)
		if err != nil {
			return nil, &diag.Problem{
				Code: "undo.record", Pos: diag.Pos{File: records.File(name)}, Summary: "the record of the last apply cannot be read", Found: err.Error(),
				Hint: "the contents of replaced files are in " + layout.Kept(m.Prior.StateDir) + ", named by their sha256",
			}
		}
		if slices.ContainsFunc(r.Items, func(i runrecord.Item) bool { return i.Outcome == apply.Done }) {
			return r, nil
		}
	}
	return nil, &diag.Problem{Code: "undo.none", Summary: "no apply of this machine is recorded, so there is nothing to undo", Hint: "`reconcile plan` shows how this machine differs"}
}

// undoResources returns resources that describe the files of a run as they were before it,
// and how many of its changes are not of files.
func undoResources(m *session.Machine, r *runrecord.Record) (list []resources.Resource, others int, err error) {
	var problems diag.List
	for i := range r.Items {
		item := &r.Items[i]
		if item.Outcome != apply.Done {
			continue
		}
		if item.Addr.Kind != "file" || item.Action != resources.Create && len(item.Kept) == 0 {
			others++
			continue
		}
		e, _ := m.Entry(item.Addr)
		if item.Action == resources.Create {
			if e.Key.Kind != facts.KindPath {
				continue // forgotten, or undone already
			}
			if why := m.RefusedEntry(e); why != "" {
				problems.Add(refusedProblem(e.Left.Path, why))
				continue
			}
			w := resources.Recorded{Addr: item.Addr, Key: e.Key, Left: e.Left, Reason: "created by the last apply"}
			list = append(list, resources.Resource{Addr: item.Addr, Spec: &resources.RemovePath{Recorded: w}})
			continue
		}
		spec, err := restore(m, item.Kept[0], e)
		if err != nil {
			problems.Add(err)
			continue
		}
		list = append(list, resources.Resource{Addr: item.Addr, Spec: spec})
	}
	return list, others, problems.Err()
}

// restore returns the Spec of a file with its kept content. e is its entry in the state.
func restore(m *session.Machine, k apply.Kept, e state.Entry) (resources.Spec, *diag.Problem) {
	if why := m.RefusedPath(k.Path); why != "" {
		return nil, refusedProblem(k.Path, why)
	}
	content, err := rawfile.ReadFile(path.Join(layout.Kept(m.Prior.StateDir), k.SHA256.String()), apply.MaxKept, rawfile.NoFollow)
	if err == nil && sha256.Sum256(content) != k.SHA256 {
		err = errors.New("its sha256 is not its name")
	}
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = errors.New("it no longer exists")
		}
		return nil, &diag.Problem{
			Code: "undo.lost", Summary: fmt.Sprintf("the earlier content of %s cannot be restored", k.Path), Found: k.Copy + ": " + err.Error(),
			Hint: "set the manifest back, and run `reconcile apply`",
		}
	}
	return &file.Restore{Spec: &file.Spec{Path: k.Path, Mode: k.Mode, Content: string(content)}, Left: e.Left}, nil
}

func refusedProblem(name, why string) *diag.Problem {
	return &diag.Problem{
		Code: "undo.path", Summary: fmt.Sprintf("the last apply recorded the path %q, which a manifest cannot have", name), Found: why,
		Hint: "the store may be from another machine; `reconcile plan` shows how this machine differs from the manifest",
	}
}
