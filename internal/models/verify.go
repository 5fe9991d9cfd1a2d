package models

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/exit"
	"github.com/reconcile-ml/reconcile/internal/hub"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// VerifyOptions state how models are verified. Progress and NotRecorded must not be nil.
type VerifyOptions struct {
	Rehash      bool                      // also files whose digest is recorded
	Jobs        int                       // files hashed at the same time; 0 for one a core
	Progress    func(hashed, total int64) // bytes
	Interrupted func()                    // called at the first signal to stop
	NotRecorded func(error)               // called if digests could not be recorded
}

// Pins returns the revisions to verify: of the models with these names or, without names,
// of those that the environment of t needs; with all every snapshot in the cache.
func Pins(t *session.Target, all bool, names []string) ([]hub.Pin, error) {
	known := t.ModelCache().Pins
	if all {
		pins, err := hub.Snapshots(cacheDir(t))
		for i := range pins {
			if pinned, ok := known[pins[i].Repo]; ok && pinned.Revision == pins[i].Revision {
				pins[i] = pinned
			}
		}
		return pins, err
	}
	var pins []hub.Pin
	if len(names) == 0 {
		for _, model := range t.Manifest.ModelsFor(t.Env) {
			pins = append(pins, known[model.Repo])
		}
		return pins, nil
	}
	var problems diag.List
	for _, name := range names {
		pin, ok := known[name]
		if !ok {
			problems.Add(&diag.Problem{
				Code: "model.unnamed", Pos: diag.Pos{File: t.Name}, Summary: fmt.Sprintf("the manifest has no model %q", name),
				Hint: "it has: " + strings.Join(repos(t), ", ") + "; --all verifies every snapshot in the cache",
			})
		}
		if !slices.ContainsFunc(pins, func(p hub.Pin) bool { return p.Repo == name }) {
			pins = append(pins, pin)
		}
	}
	return pins, problems.Err()
}

// repos lists the models of the manifest, in its order.
func repos(t *session.Target) []string {
	var list []string
	for i := range t.Manifest.Models {
		list = append(list, t.Manifest.Models[i].Repo)
	}
	if len(list) == 0 {
		list = []string{"none"}
	}
	return list
}

// cacheDir returns the absolute path of the directory of the models.
func cacheDir(t *session.Target) string { return t.Path(t.ModelCache().Path) }

// Verify hashes the files of pins and compares them with the digests that they are stored
// under. It records the digests, so that an interrupted run continues, and unchanged files
// are not hashed twice.
func Verify(ctx context.Context, t *session.Target, pins []hub.Pin, o VerifyOptions) (*report.Verified, error) {
	soft, _, stop := session.Interruptible(ctx, o.Interrupted)
	defer stop()
	cache := t.ModelCache().Path
	var hashed int64
	var unrecorded error
	started := time.Now()
	models, err := hub.Verify(soft, cacheDir(t), pins, t.Digests(), hub.Options{
		Workers: o.Jobs, Rehash: o.Rehash,
		Progress: func(n, total int64) {
			hashed = n
			o.Progress(n, total)
		},
		Save: func(d *hub.Digests) { unrecorded = record(t, d) },
	})
	if unrecorded != nil {
		o.NotRecorded(unrecorded)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return nil, exit.With(exit.Interrupted, &diag.Problem{
			Code: "models.interrupted", Summary: "not all models were verified",
			Hint: "the same command goes on with the files that were not hashed yet",
		})
	case err != nil:
		return nil, &diag.Problem{
			Code: "models.unreadable", Summary: fmt.Sprintf("the models in %s cannot be read", cache), Found: err.Error(),
			Hint: "make the folder readable for this user",
		}
	}
	for i := range models {
		models[i].Path = path.Join(cache, hub.Folder(models[i].Repo))
	}
	return &report.Verified{Cache: cache, Models: models, Hashed: hashed, Took: time.Since(started)}, nil
}

// record stores digests, with those that other runs have recorded meanwhile.
func record(t *session.Target, d *hub.Digests) error {
	local, err := t.Prepare()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(local.State)
	if err != nil {
		return err
	}
	defer root.Close()
	return atomicfile.Write(root, path.Base(layout.Digests(local.State)), 0o600, d.Encode(t.Digests()))
}
