package cli

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/resources/model"
)

func (a *app) modelsCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "models",
		Short: "what models are needed, what is there, how to get the rest",
		Long: long(`
Shows for each model that this machine's environment needs how much of it is there, where
it lies, what is still to download, and in order what to do: licence and token where it is
gated, and the download command for the huggingface-hub of that environment. Downloads
nothing and asks nothing of the network. Tokens are never read: it says only whether one
can be seen.`, readOnly, exit.Done, exit.Error),
		Example: "  reconcile models\n  reconcile models verify",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.shelf(cmd.Context(), all)
			if err != nil {
				return err
			}
			if a.json {
				return report.ModelsJSON(a.out, s.list())
			}
			if len(s.models) == 0 {
				return s.empty()
			}
			return report.PrintModels(a.out, s.list(), a.report(a.out))
		},
	}
	cmd.AddCommand(a.modelsVerifyCommand())
	cmd.Flags().BoolVar(&all, "all", false, "every model of the manifest, with the environments that need it")
	return cmd
}

// empty says that there is nothing to show, and where there would be.
func (s *shelf) empty() error {
	if len(s.Manifest.Models) == 0 || s.Env == nil {
		return writeLine(s.app.out, "%s declares no model.", s.Name)
	}
	return writeLine(s.app.out, "Environment %s needs no model. `reconcile models --all` shows those of other environments.", s.Env.Name)
}

// A shelf is the models that are asked about, and what is known of them here.
type shelf struct {
	*session.Target
	facts  *facts.Facts
	app    *app
	models []manifest.Model
}

// shelf looks at the models that this machine's environment needs, or at all, and at
// the environments that could fetch them.
func (a *app) shelf(ctx context.Context, all bool) (*shelf, error) {
	t, err := a.target(ctx, "")
	if err != nil {
		return nil, err
	}
	s := &shelf{Target: t, app: a, models: t.Manifest.ModelsFor(t.Env)}
	if all {
		s.models = t.Manifest.Models
	}
	keys := []facts.Key{facts.DiskKey(s.place())}
	for i := range s.models {
		keys = append(keys, facts.ModelKey(s.models[i].Repo))
		if env := s.fetcher(&s.models[i]); env != nil {
			keys = append(keys, facts.EnvironmentKey(env.Name))
		}
	}
	slices.SortFunc(keys, facts.Key.Compare)
	s.facts = t.Facts(ctx, slices.Compact(keys))
	return s, nil
}

// place is where models lie on this machine, as facts spell it. A manifest with models
// has a directory for them.
func (s *shelf) place() string {
	if place := s.Manifest.ModelsPath(s.Selection, s.Env); place != "" {
		return place
	}
	return "."
}

// fetcher is the environment that a model is fetched with: that of this machine if it
// needs the model, else the first that does. Another one would not know where it belongs.
func (s *shelf) fetcher(m *manifest.Model) *manifest.Environment {
	if s.Env != nil && m.For(s.Env) {
		return s.Env
	}
	for _, e := range s.Manifest.Environments {
		if m.For(e) {
			return e
		}
	}
	return nil
}

// list puts together what there is to show.
func (s *shelf) list() report.Models {
	list := report.Models{Place: s.Path(s.place()), Free: -1, Token: s.app.token(), Items: []report.ModelItem{}}
	list.Cache = list.Place
	for i := range s.Manifest.Directories {
		if d := &s.Manifest.Directories[i]; d.Name == manifest.ModelsDirectory {
			list.Cache = s.Path(d.Path)
		}
	}
	if s.Env != nil {
		list.Environment = s.Env.Name
	}
	if disk, ok := facts.Find[facts.Disk](s.facts, facts.DiskKey(s.place())); ok {
		list.Free = disk.Free
	}
	for i := range s.models {
		item := s.item(&s.models[i])
		list.Items = append(list.Items, item)
		list.Download += max(item.Download, 0)
	}
	list.Notes = s.notes(list)
	return list
}

// item is one model with what is known of it.
func (s *shelf) item(m *manifest.Model) report.ModelItem {
	item := report.ModelItem{
		Repo: m.Repo, Revision: m.Revision, Gated: m.Gated, Environments: []string{}, Size: m.Size,
		State: "unknown", Download: -1, Page: "https://huggingface.co/" + m.Repo,
		Path: filepath.ToSlash(filepath.Join(s.place(), hub.Folder(m.Repo))), Hub: s.tool(m),
	}
	for _, e := range s.Manifest.Environments {
		if m.For(e) {
			item.Environments = append(item.Environments, e.Name)
		}
	}
	key := facts.ModelKey(m.Repo)
	found, ok := facts.Find[facts.Model](s.facts, key)
	if !ok {
		_, reason, _ := s.facts.Lookup(key)
		item.Found = "could not be looked at: " + reason
		return item
	}
	item.State, item.Found, item.Here = string(found.State), model.Summary(found), found.Size()
	item.Verified = found.IsVerified()
	for _, fault := range found.Faults {
		if !fault.Partial() {
			item.Faults = append(item.Faults, report.ModelFault{Found: model.FaultText(fault), Remedy: model.Remedy(found, fault)})
		}
	}
	switch {
	case found.State == facts.ModelComplete:
		item.Download = 0
	case found.Listed:
		item.Download = found.Lacking
	case m.Size > 0:
		item.Download = max(m.Size-item.Here, 0)
	}
	return item
}
