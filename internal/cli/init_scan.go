package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/scan"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/probes"
)

// walkTime is how long a scan looks through folders at most.
const walkTime = 5 * time.Second

// scanDocument is what a scan took over, for programs.
type scanDocument struct {
	Environments []string      `json:"environments"`
	Read         []string      `json:"read"`
	Unread       []scan.Unread `json:"unread"`
	Pinned       int           `json:"pinned"`   // packages with one exact version
	Doubtful     int           `json:"doubtful"` // packages that became comments
	Unknown      int           `json:"unknown"`  // those of them for which no version is known
}

// scanned writes the manifest of what is in the folder and on this machine.
func (a *app) scanned(ctx context.Context, place *initPlace, doc *initDocument) ([]newFile, error) {
	folder, err := place.root.OpenRoot(place.below)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &diag.Problem{
			Code: "init.nothing", Summary: "there is no folder " + place.dir + ", so there is nothing to scan",
			Hint: "`reconcile init DIR` starts a new project in it",
		}
	}
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	in, err := a.scanInput(ctx, place)
	if err != nil {
		return nil, err
	}
	walking, done := context.WithTimeout(ctx, walkTime)
	defer done()
	found, err := scan.Folder(walking, folder.FS(), in)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	doc.Project = found.Project
	doc.scanDocument = &scanDocument{
		Environments: listed(found.Environments), Read: listed(found.Read), Unread: listed(found.Unread),
		Pinned: found.Pinned, Doubtful: found.Doubtful, Unknown: found.Unknown,
	}
	if found.Unknown > 0 {
		doc.Notes = append(doc.Notes, fmt.Sprintf("no version is known for %s: where an environment with them stands in the folder, such as .venv, a scan names what it has", plural.Count(found.Unknown, "package")))
	}
	return []newFile{{place.manifest, found.Manifest}}, nil
}

// scanInput looks at this machine, as far as a manifest speaks of it.
func (a *app) scanInput(ctx context.Context, place *initPlace) (scan.Input, error) {
	in := scan.Input{Name: place.name(), Installed: scan.Environments(place.dir)}
	prober, err := probes.New(place.dir, a.environ)
	if err != nil {
		return in, err
	}
	known := prober.Probe(ctx, []facts.Key{facts.HostKey, facts.GPUKey})
	host, ok := facts.Find[facts.Host](known, facts.HostKey)
	if !ok {
		return in, session.NotProbed(known, facts.HostKey)
	}
	gpu, _ := facts.Find[facts.GPU](known, facts.GPUKey) // not seen is none: a comment says how to change it
	in.Platform, in.Nvidia = host.Platform, gpu.Vendor == "nvidia"
	return in, nil
}

// listed is a list that JSON writes as one, be it empty.
func listed[T any](list []T) []T { return append([]T{}, list...) }

// lines is what a scan took over, for people.
func (d *scanDocument) lines() []string {
	lines := []string{"Read: " + strings.Join(d.Read, ", ")}
	if len(d.Read) == 0 {
		lines[0] = "Nothing here says which packages the project needs."
	}
	for _, u := range d.Unread {
		lines = append(lines, "Not read: "+u.File+" ("+u.Why+")")
	}
	if len(d.Environments) > 0 {
		lines = append(lines, fmt.Sprintf("%s: %s; %s pinned, %d left open as comments",
			plural.Count(len(d.Environments), "environment"), strings.Join(d.Environments, ", "),
			plural.Count(d.Pinned, "package"), d.Doubtful))
	}
	return lines
}
