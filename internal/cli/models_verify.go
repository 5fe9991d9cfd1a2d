package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// modelsToVerify says which models, and how.
type modelsToVerify struct {
	all, fresh bool
	jobs       int
}

func (a *app) modelsVerifyCommand() *cobra.Command {
	var o modelsToVerify
	cmd := &cobra.Command{
		Use:   "verify [REPO…]",
		Short: "prove that the models are what the manifest pins, byte for byte",
		Long: long(`
Hashes every file of the models that this machine's environment needs, or of those that
are named, and compares it with the digest that it is stored under. Finds what a look does
not: a changed byte, a file that was written through its link. Also says what lacks, and
for each fault what mends it. Uses no network and starts no program.

What was hashed is remembered: an interrupted run goes on where it stopped, and a file
that nobody touched is not hashed twice.`, digests, exit.Done, exit.Error, exit.Differs, exit.Interrupted),
		Example:           "  reconcile models verify\n  reconcile models verify mistralai/Mistral-7B-Instruct-v0.3\n  reconcile models verify --all --no-cache",
		ValidArgsFunction: a.modelNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.verifyModels(cmd.Context(), o, args)
		},
	}
	cmd.Flags().BoolVar(&o.all, "all", false, "every snapshot in the cache, whether the manifest names it or not")
	cmd.Flags().BoolVar(&o.fresh, "no-cache", false, "hash everything, whatever is remembered")
	cmd.Flags().IntVarP(&o.jobs, "jobs", "j", 0, "hash `N` files at once (default: as many as there are cores)")
	return cmd
}

func (a *app) verifyModels(ctx context.Context, o modelsToVerify, names []string) error {
	if o.all && len(names) > 0 {
		return exit.Usage("--all means every snapshot in the cache; name models, or give --all")
	}
	if o.jobs < 0 {
		return exit.Usage("--jobs must not be negative")
	}
	p, err := session.Open(ctx, a.config(), "")
	if err != nil {
		return err
	}
	m, err := p.Select()
	if err != nil && (o.all || len(names) > 0) {
		m, err = p.SelectNone() // the environment does not matter
	}
	if err != nil {
		return err
	}
	pins, err := pinsToVerify(m, o, names)
	if err != nil {
		return err
	}
	if len(pins) == 0 {
		return a.noModels(m, o)
	}
	result, err := a.proveModels(ctx, m, pins, o)
	if err != nil {
		return err
	}
	if a.json {
		err = report.ModelsVerifiedJSON(a.out, result)
	} else {
		err = report.ModelsVerified(a.out, result, a.report(a.out))
	}
	if err == nil && result.Intact() < len(result.Models) {
		return exit.Quietly(exit.Differs)
	}
	return err
}

// pins lists what to verify.
func pinsToVerify(m *session.Target, o modelsToVerify, names []string) ([]hub.Pin, error) {
	known := m.ModelCache().Pins
	if o.all {
		pins, err := hub.Snapshots(modelCache(m))
		for i := range pins {
			if pinned, ok := known[pins[i].Repo]; ok && pinned.Revision == pins[i].Revision {
				pins[i] = pinned
			}
		}
		return pins, err
	}
	var pins []hub.Pin
	if len(names) == 0 {
		for _, model := range m.Manifest.ModelsFor(m.Env) {
			pins = append(pins, known[model.Repo])
		}
		return pins, nil
	}
	var problems diag.List
	for _, name := range names {
		pin, ok := known[name]
		if !ok {
			problems.Add(&diag.Problem{
				Code: "model.unnamed", Pos: diag.Pos{File: m.Name}, Summary: fmt.Sprintf("the manifest has no model %q", name),
				Hint: "it has: " + strings.Join(modelRepos(m), ", ") + "; --all verifies every snapshot in the cache",
			})
		}
		if !slices.ContainsFunc(pins, func(p hub.Pin) bool { return p.Repo == name }) {
			pins = append(pins, pin)
		}
	}
	return pins, problems.Err()
}

// repos lists the models of the manifest, in its order.
func modelRepos(m *session.Target) []string {
	var list []string
	for i := range m.Manifest.Models {
		list = append(list, m.Manifest.Models[i].Repo)
	}
	if len(list) == 0 {
		list = []string{"none"}
	}
	return list
}

// modelCache is the folder of the models, as the machine names it.
func modelCache(m *session.Target) string {
	place := m.ModelCache().Path
	if path.IsAbs(place) {
		return place
	}
	return m.Path(place)
}

// noModels says that there is nothing to verify, and why.
func (a *app) noModels(m *session.Target, o modelsToVerify) error {
	if a.json {
		return report.ModelsVerifiedJSON(a.out, &report.Verified{Cache: m.ModelCache().Path})
	}
	if o.all {
		return writeLine(a.out, "No model to verify: there is no snapshot in %s.", m.ModelCache().Path)
	}
	if m.Env != nil && len(m.Manifest.Models) > 0 {
		return writeLine(a.out, "No model to verify: environment %s needs none. Name one, or give --all.", m.Env.Name)
	}
	return writeLine(a.out, "No model to verify: the manifest names none.")
}

// proveModels hashes what has to be hashed, and shows how far it is.
func (a *app) proveModels(ctx context.Context, m *session.Target, pins []hub.Pin, o modelsToVerify) (*report.Verified, error) {
	soft, _, done := session.Interruptible(ctx, func() {
		if !a.quiet {
			fmt.Fprintln(a.err, "\nInterrupted: what was hashed is remembered.")
		}
	})
	defer done()
	var hashed int64
	tell, stop := func(_, _ int64) {}, func() {}
	if !a.quiet {
		tell, stop = report.Meter(a.err, a.report(a.err), "hashing "+plural.Count(len(pins), "model"))
	}
	var forgets error
	started := time.Now()
	known := m.Digests()
	models, err := hub.Verify(soft, modelCache(m), pins, known, hub.Options{
		Workers: o.jobs, Rehash: o.fresh,
		Progress: func(n, total int64) {
			hashed = n
			tell(n, total)
		},
		Save: func(d *hub.Digests) { forgets = rememberDigests(m, d) },
	})
	stop()
	if forgets != nil && !a.quiet {
		_ = writeLine(a.err, "What was hashed is not remembered: %v", forgets)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return nil, exit.With(exit.Interrupted, &diag.Problem{
			Code: "models.interrupted", Summary: "the models were not verified to the end",
			Hint: "the same command goes on with the files that were not hashed yet",
		})
	case err != nil:
		return nil, &diag.Problem{
			Code: "models.unreadable", Summary: fmt.Sprintf("the models in %s cannot be looked at", m.ModelCache().Path), Found: err.Error(),
			Hint: "make the folder readable for this user",
		}
	}
	for i := range models {
		models[i].Path = path.Join(m.ModelCache().Path, hub.Folder(models[i].Repo))
	}
	return &report.Verified{Cache: m.ModelCache().Path, Models: models, Hashed: hashed, Took: time.Since(started)}, nil
}

// remember keeps what was hashed, with what other runs have kept meanwhile.
func rememberDigests(m *session.Target, d *hub.Digests) error {
	here, err := m.Local()
	if err != nil {
		return err
	}
	if err := m.CheckDirectories(here.State); err != nil {
		return err
	}
	root, err := os.OpenRoot(m.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	name := layout.Digests()
	if _, err := atomicfile.MakeAll(root, path.Dir(name), 0o755); err != nil {
		return err
	}
	if err := m.IgnoreState(); err != nil {
		return err
	}
	return atomicfile.Write(root, name, 0o644, d.Encode(m.Digests()))
}

// modelNames offers the models of the manifest; none where it cannot be read.
func (a *app) modelNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if p, err := session.Load(a.config()); err == nil {
		for i := range p.Manifest.Models {
			names = append(names, p.Manifest.Models[i].Repo)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
