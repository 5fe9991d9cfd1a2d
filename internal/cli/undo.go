package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/internal/state"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/file"
)

func (a *app) undoCommand() *cobra.Command {
	var o applyFlags
	cmd := &cobra.Command{
		Use:   "undo",
		Short: "give the files of the last apply their earlier content",
		Long: long(`
Shows and carries out the plan that undoes what the last apply did to files: what it
replaced or took away comes back from the kept contents, what it created goes. A file that
was changed since is never touched: then nothing is done. Directories and links stay;
`+"`reconcile rollback`"+` goes back to the environment before. The manifest still asks for
what it asked: the next apply goes forward again.`,
			changes, exitDone, exitError, exitBlocked, exitPartly, exitLocked, exitInterrupted),
		Example: "  reconcile undo",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := a.survey(cmd.Context())
			if err != nil {
				return err
			}
			if m.blind != nil {
				return m.blind
			}
			o.word, a.against = undoing, "before the last apply"
			return a.undo(cmd.Context(), m, o)
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.detail, "detail", false, "a block for every change, however many there are")
	return cmd
}

// undoing is what a run of undo is called.
const undoing = "Undo"

func (a *app) undo(ctx context.Context, m *machine, o applyFlags) error {
	last, err := m.lastRun()
	if err != nil {
		return err
	}
	list, others, err := m.earlier(last)
	if err != nil {
		return err
	}
	known := m.probe(ctx, planner.Keys(list))
	known.Merge(m.base)
	plan, err := planner.Prior{State: m.before.State}.MakeWithoutPrune(list, known)
	if err != nil {
		return err
	}
	if others > 0 {
		verb := "are"
		if others == 1 {
			verb = "is"
		}
		plan.Notices = append(plan.Notices, fmt.Sprintf("%s of the last apply %s no file: directories and links stay, and `reconcile rollback` goes back to the environment before",
			plural.Count(others, "change"), verb))
	}
	if plan.Totals().Changes() == 0 && plan.Totals().Blocked == 0 {
		if a.json {
			return report.PlanJSON(a.out, plan)
		}
		return say(a.out, "Nothing to undo: the files of the last apply are as they were before it.")
	}
	return a.confirm(ctx, m, plan, o)
}

// lastRun returns the newest recorded apply that changed anything.
func (m *machine) lastRun() (*runrecord.Record, error) {
	records, err := runrecord.OpenFolder(m.project.root, m.before.StateDir)
	if err != nil {
		return nil, err
	}
	defer records.Close()
	names, err := records.Names()
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Backward(names) {
		r, err := records.Read(name)
		if err != nil {
			return nil, &diag.Problem{
				Code: "undo.record", Pos: diag.Pos{File: records.File(name)}, Summary: "the record of the last apply cannot be read", Found: err.Error(),
				Hint: "the contents of replaced files are in " + layout.Kept(m.before.StateDir) + ", named by their sha256",
			}
		}
		if slices.ContainsFunc(r.Items, func(i runrecord.Item) bool { return i.Outcome == apply.Done }) {
			return r, nil
		}
	}
	return nil, &diag.Problem{Code: "undo.none", Summary: "no apply of this machine is recorded, so there is nothing to undo", Hint: "`reconcile plan` shows how this machine differs"}
}

// earlier returns resources that want the files of a run as they were before it, and
// how many of its changes are not of files.
func (m *machine) earlier(r *runrecord.Record) (list []resources.Resource, others int, err error) {
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
		e, _ := m.before.State.Entry(item.Addr)
		if item.Action == resources.Create {
			if e.Key.Kind != facts.KindPath {
				continue // forgotten, or undone already
			}
			w := resources.Recorded{Addr: item.Addr, Key: e.Key, Left: e.Left, Reason: "made by the last apply"}
			list = append(list, resources.Resource{Addr: item.Addr, Spec: &resources.RemovePath{Recorded: w}})
			continue
		}
		spec, err := m.restore(item.Kept[0], e)
		if err != nil {
			problems.Add(err)
			continue
		}
		list = append(list, resources.Resource{Addr: item.Addr, Spec: spec})
	}
	return list, others, problems.Err()
}

// restore wants the kept content of a file back.
func (m *machine) restore(k apply.Kept, e state.Entry) (resources.Spec, *diag.Problem) {
	content, err := os.ReadFile(m.file(path.Join(layout.Kept(m.before.StateDir), k.SHA256.String())))
	if err == nil && sha256.Sum256(content) != k.SHA256 {
		err = errors.New("its content is not that of its name")
	}
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = errors.New("it is not there any more")
		}
		return nil, &diag.Problem{
			Code: "undo.lost", Summary: fmt.Sprintf("the earlier content of %s cannot be had", k.Path), Found: k.Copy + ": " + err.Error(),
			Hint: "set the manifest back, and run `reconcile apply`",
		}
	}
	return &file.Restore{Spec: &file.Spec{Path: k.Path, Mode: k.Mode, Content: string(content)}, Left: e.Left}, nil
}
