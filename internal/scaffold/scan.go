package scaffold

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
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/scan"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/probes"
)

// walkTime limits the search for models.
const walkTime = 5 * time.Second

// Scanned is the result of a scan. Its JSON form is part of the command's.
type Scanned struct {
	Environments []string      `json:"environments"`
	Read         []string      `json:"read"`
	Unread       []scan.Unread `json:"unread"`
	Pinned       int           `json:"pinned"`   // packages with an exact version
	Doubtful     int           `json:"doubtful"` // packages that became comments
	Unknown      int           `json:"unknown"`  // of these, packages without a version
}

// scanDirectory returns the manifest of the folder and this machine.
func scanDirectory(ctx context.Context, c *session.Config, at *place, result *Result) ([]newFile, error) {
	folder, err := at.root.OpenRoot(at.below)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &diag.Problem{
			Code: "init.nothing", Summary: "there is no folder " + at.dir + ", so there is nothing to scan",
			Hint: "`reconcile init DIR` starts a new project in it",
		}
	}
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	in, err := scanInput(ctx, c, at)
	if err != nil {
		return nil, err
	}
	walking, done := context.WithTimeout(ctx, walkTime)
	defer done()
	found, err := scan.Folder(walking, rawfile.FS(folder), in)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	result.Project = found.Project
	result.Scanned = &Scanned{
		Environments: listed(found.Environments), Read: listed(found.Read), Unread: listed(found.Unread),
		Pinned: found.Pinned, Doubtful: found.Commented, Unknown: found.Unknown,
	}
	if found.Unknown > 0 {
		result.Notes = append(result.Notes, fmt.Sprintf("%s without a version: complete the comments in the manifest, or run `pip freeze > requirements.txt` in an environment that works and scan again", plural.Count(found.Unknown, "package")))
	}
	return []newFile{{at.manifest, found.Manifest}}, nil
}

// scanInput returns the input of a scan.
func scanInput(ctx context.Context, c *session.Config, at *place) (scan.Input, error) {
	in := scan.Input{Name: at.name(), Installed: scan.Environments(at.dir)}
	prober, err := probes.New(at.dir, "", c.Environ) // the host alone is probed
	if err != nil {
		return in, err
	}
	known := prober.Probe(ctx, []facts.Key{facts.HostKey})
	host, ok := facts.Find[facts.Host](known, facts.HostKey)
	if !ok {
		return in, session.NotProbed(known, facts.HostKey)
	}
	in.Platform = host.Platform
	return in, nil
}

// listed returns a list that is not nil, so that JSON has [] for an empty one.
func listed[T any](list []T) []T { return append([]T{}, list...) }

// Lines returns the result of a scan as text.
func (d *Scanned) Lines() []string {
	lines := []string{"Read: " + strings.Join(d.Read, ", ")}
	if len(d.Read) == 0 {
		lines[0] = "No file has the packages of the project."
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
