// Package models reports which models a project needs, which are on this machine, how to
// download the rest, and verifies the downloaded ones.
package models

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/resources/model"
)

// An inventory is a list of models, with the facts about them on this machine.
type inventory struct {
	*session.Target
	facts  *facts.Facts
	models []manifest.Model
}

// List reports the models that the environment of t needs, or all models of the manifest:
// what of them is on this machine, and how to download the rest.
func List(ctx context.Context, t *session.Target, all bool) report.Models {
	v := &inventory{Target: t, models: t.Manifest.ModelsFor(t.Env)}
	if all {
		v.models = t.Manifest.Models
	}
	keys := []facts.Key{facts.DiskKey(v.place())}
	for i := range v.models {
		keys = append(keys, facts.ModelKey(v.models[i].Repo))
		if env := v.downloader(&v.models[i]); env != nil {
			keys = append(keys, facts.EnvironmentKey(env.Name))
		}
	}
	slices.SortFunc(keys, facts.Key.Compare)
	v.facts = t.Facts(ctx, slices.Compact(keys))
	return v.list()
}

// place returns the directory of the models on this machine, as facts name it. A manifest
// with models has a directory for them.
func (v *inventory) place() string {
	if place := v.Manifest.ModelsPath(v.Selection, v.Env); place != "" {
		return place
	}
	return "."
}

// downloader returns the environment that downloads a model: the selected one if it needs
// the model, else the first that does. Others do not set the cache directory.
func (v *inventory) downloader(m *manifest.Model) *manifest.Environment {
	if v.Env != nil && m.For(v.Env) {
		return v.Env
	}
	for _, e := range v.Manifest.Environments {
		if m.For(e) {
			return e
		}
	}
	return nil
}

// list returns the report.
func (v *inventory) list() report.Models {
	list := report.Models{Place: v.Path(v.place()), Free: -1, Token: token(v.Config), Items: []report.ModelItem{}}
	list.Cache = list.Place
	for i := range v.Manifest.Directories {
		if d := &v.Manifest.Directories[i]; d.Name == manifest.ModelsDirectory {
			list.Cache = v.Path(d.Path)
		}
	}
	if v.Env != nil {
		list.Environment = v.Env.Name
	}
	if disk, ok := facts.Find[facts.Disk](v.facts, facts.DiskKey(v.place())); ok {
		list.Free = disk.Free
	}
	for i := range v.models {
		item := v.item(&v.models[i])
		list.Items = append(list.Items, item)
		list.Download += max(item.Download, 0)
	}
	list.Notes = v.notes(list)
	return list
}

// item returns one model with the facts about it.
func (v *inventory) item(m *manifest.Model) report.ModelItem {
	item := report.ModelItem{
		Repo: m.Repo, Revision: m.Revision, Gated: m.Gated, Environments: []string{}, Size: m.Size,
		State: "unknown", Download: -1, Page: "https://huggingface.co/" + m.Repo,
		Path: filepath.ToSlash(filepath.Join(v.place(), hub.Folder(m.Repo))), Hub: v.tool(m),
	}
	for _, e := range v.Manifest.Environments {
		if m.For(e) {
			item.Environments = append(item.Environments, e.Name)
		}
	}
	key := facts.ModelKey(m.Repo)
	found, ok := facts.Find[facts.Model](v.facts, key)
	if !ok {
		_, reason, _ := v.facts.Lookup(key)
		item.Found = "could not be read: " + reason
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
