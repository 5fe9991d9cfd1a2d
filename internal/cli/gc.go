package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/inuse"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

func (a *app) gcCommand() *cobra.Command {
	var o applyFlags
	var keep int
	var dry bool
	cmd := &cobra.Command{
		Use:     "gc",
		Example: "  reconcile gc --dry-run\n  reconcile gc --keep 2",
		Short:   "free the generations that are not needed",
		Long: long(`
Removes the generations of this machine's environment except the visible one and the
newest sound ones that --keep says, and what killed builds left. A generation that a
process uses is never removed. Shows what it would remove and asks for "yes".`,
			destructive, exitDone, exitError, exitPartly, exitLocked),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if keep < 0 {
				return usage("--keep takes a number from 0 up")
			}
			p, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			return a.collect(cmd.Context(), p, o, keep, dry)
		},
	}
	o.register(cmd)
	cmd.Flags().IntVar(&keep, "keep", 1, "keep `N` generations beside the visible one, for rollback")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would be removed, and stop")
	return cmd
}

// A collection is what gc did, or with DryRun would do, as it prints it as JSON.
type collection struct {
	Version     int             `json:"version"`
	Environment string          `json:"environment"`
	DryRun      bool            `json:"dry_run"`
	Generations []collected     `json:"generations"`
	Freed       int64           `json:"freed"` // bytes
	Problems    []*diag.Problem `json:"problems,omitempty"`
}

// collected is one generation that is not needed.
type collected struct {
	Name   string `json:"name"`
	Action string `json:"action"`           // "remove" in a dry run, else "removed", "kept"
	Disk   int64  `json:"disk"`             // bytes that it alone takes; 0 where that is not known
	Reason string `json:"reason,omitempty"` // why it is kept
}

// collect removes generations under the machine's lock.
func (a *app) collect(ctx context.Context, p *project, o applyFlags, keep int, dry bool) error {
	e, err := a.environment(ctx, p)
	if err != nil {
		return err
	}
	unneeded, err := e.unneeded(ctx, keep)
	if err != nil {
		return err
	}
	doc := &collection{Version: 1, Environment: e.Name, DryRun: dry, Generations: []collected{}}
	if err := a.showUnneeded(e, unneeded); err != nil {
		return err
	}
	if dry {
		for _, name := range unneeded {
			doc.Generations = append(doc.Generations, collected{Name: name, Action: "remove", Disk: e.disk(name)})
		}
	}
	if dry || len(unneeded) == 0 {
		return a.collectedJSON(doc)
	}
	if err := a.consent(o.yes); err != nil {
		return err
	}
	w, err := a.work(ctx, p, o)
	if err != nil {
		return err
	}
	defer w.close()
	a.oneDocument(w)
	if e, err = a.environment(ctx, p); err != nil { // as it is now that nobody else changes it
		return err
	}
	if unneeded, err = e.unneeded(ctx, keep); err != nil {
		return err
	}
	return a.freeAll(w, e, unneeded, doc)
}

// showUnneeded lists what would be removed.
func (a *app) showUnneeded(e *environment, names []string) error {
	if a.json {
		return nil
	}
	if len(names) == 0 {
		return say(a.out, "Nothing to free: environment %s keeps %s.", e.Name, plural.Count(len(e.Generations), "generation"))
	}
	for _, name := range names {
		if err := say(a.out, "- %s %s", e.Name, name); err != nil {
			return err
		}
	}
	return nil
}

// freeAll removes generations one by one, up to the first that cannot be removed,
// and says what came of it.
func (a *app) freeAll(w *work, e *environment, names []string, doc *collection) error {
	code := exitDone
	var failed error
	for _, name := range names {
		c, err := a.free(w, e, name)
		if err != nil {
			failed = err
			break
		}
		doc.Generations = append(doc.Generations, c)
		if c.Action == "kept" {
			code = exitPartly
			continue
		}
		doc.Freed += c.Disk
	}
	if a.json && failed != nil {
		doc.Problems = diag.Problems(failed)
		code, _ = codeOf(failed)
		failed = nil
	}
	if failed != nil {
		return failed
	}
	if !a.json {
		if err := say(a.out, "Freed %s.", bytesize.Format(doc.Freed)); err != nil {
			return err
		}
	}
	if err := a.collectedJSON(doc); err != nil {
		return err
	}
	return exit(code)
}

func (a *app) collectedJSON(doc *collection) error {
	if !a.json {
		return nil
	}
	return report.JSON(a.out, doc)
}

// free removes one generation unless a process uses it.
func (a *app) free(w *work, e *environment, name string) (collected, error) {
	c := collected{Name: name, Action: "kept", Disk: e.disk(name)}
	dir := e.directory(name)
	if dir == e.shell {
		c.Reason = "this shell is on it; activate again, or deactivate"
	} else {
		users, _, err := inuse.Of(dir)
		if err != nil {
			return c, err
		}
		if len(users) > 0 {
			c.Reason = fmt.Sprintf("process %d (%s) uses %s", users[0].PID, users[0].Name, users[0].How)
		}
	}
	if c.Reason == "" {
		c.Action = "removed"
		return c, w.do(e, resources.Delete, resources.Remove{Path: layout.Generation(e.state, e.Name, name)})
	}
	if a.json {
		return c, nil
	}
	return c, say(a.out, "kept %s: %s", name, c.Reason)
}

// disk returns the bytes that a generation alone takes, 0 where that is not known.
func (e *environment) disk(generation string) int64 {
	size, err := pyenv.ExclusiveSize(e.directory(generation))
	if err != nil {
		return 0
	}
	return size
}

// unneeded returns what gc removes: all but the visible generation and the newest keep
// others, and builds that did not end. A damaged one is no reserve: rollback would not
// show it.
func (e *environment) unneeded(ctx context.Context, keep int) ([]string, error) {
	names := slices.Clone(e.Unsealed)
	for _, g := range newestFirst(e.Generations) {
		if g.Name == e.Current {
			continue
		}
		if keep > 0 {
			damage, err := lookInto(ctx, e.directory(g.Name), false)
			if err != nil {
				return nil, err
			}
			if len(damage) == 0 {
				keep--
				continue
			}
		}
		names = append(names, g.Name)
	}
	return names, nil
}
