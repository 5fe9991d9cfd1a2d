package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/scan"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/probes"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/python"
)

// walkTime limits the search for models.
const walkTime = 5 * time.Second

// maxOffers is the number of files that could be added that are printed.
const maxOffers = 6

// Adopted is the result for a folder with files. Its JSON form is part of the command's.
type Adopted struct {
	Environments []string        `json:"environments"`
	Read         []string        `json:"read"`
	Omitted      []scan.Omission `json:"omitted"` // what was not taken over
	Offers       []string        `json:"offers"`  // files that could be added

	found   *scan.Result
	written []byte // the manifest
}

// adopt returns the manifest of the folder and this machine, or none if the folder has nothing
// to adopt.
func adopt(ctx context.Context, c *session.Config, at *place, o Options, result *Result) ([]newFile, error) {
	folder, err := at.root.OpenRoot(at.below)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	in, hasGPU, err := scanInput(ctx, c, at)
	if err != nil {
		return nil, err
	}
	walking, done := context.WithTimeout(ctx, walkTime)
	defer done()
	found, err := scan.Folder(walking, rawfile.FS(folder), in)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil || found.Empty {
		return nil, err
	}
	if !o.NoLock {
		if err := pickPythons(ctx, c, at.dir, found); err != nil {
			return nil, err
		}
	}
	if name := found.OnlyGPU(); name != "" && !hasGPU {
		result.Notes = append(result.Notes, fmt.Sprintf("this machine has no NVIDIA GPU, which the project needs: `reconcile --env %s apply` makes the environment here too", name))
	}
	result.Project = found.Project
	result.Adopted = &Adopted{
		Environments: listed(found.Environments), Read: listed(found.Read), Omitted: listed(found.Omitted), Offers: listed(found.Offers),
		found: found, written: found.Manifest(),
	}
	return []newFile{{at.manifest, result.written}}, nil
}

// scanInput returns the input of a scan, and whether this machine has an NVIDIA GPU.
func scanInput(ctx context.Context, c *session.Config, at *place) (in scan.Input, hasGPU bool, err error) {
	in = scan.Input{Name: at.name(), Now: time.Now(), Installed: scan.Environments(at.dir)}
	prober, err := session.NewProber(c, at.dir)
	if err != nil {
		return in, false, err
	}
	keys := []facts.Key{facts.HostKey, facts.GPUKey}
	for _, minor := range resources.HelperVersions() {
		keys = append(keys, facts.PythonKey(minor))
	}
	known := prober.With(nil, probes.ModelCache{}).Probe(ctx, keys)
	host, ok := facts.Find[facts.Host](known, facts.HostKey)
	if !ok {
		return in, false, session.NotProbed(known, facts.HostKey)
	}
	in.Platform = host.Platform
	if host.Libc.Name == "glibc" {
		in.Glibc = host.Libc.Version
	}
	for _, minor := range resources.HelperVersions() {
		if pythons, ok := facts.Find[facts.Pythons](known, facts.PythonKey(minor)); ok {
			if _, ok := pythons.Usable(); ok {
				in.Pythons = append(in.Pythons, minor)
			}
		}
		if slices.ContainsFunc(python.DefaultBuilds(), func(b python.Build) bool {
			return b.Platform == host.Platform && strings.HasPrefix(b.Version, minor+".")
		}) {
			in.Fetched = append(in.Fetched, minor)
		}
	}
	gpu, _ := facts.Find[facts.GPU](known, facts.GPUKey)
	return in, gpu.Vendor == "nvidia", nil
}

// A Change is a change of an environment in the manifest that Init wrote.
type Change struct {
	Packages []string // that exist only as source
	Python   string   // the new version; "" if the packages may be built instead
	Before   string   // the version before
	System   string   // the systems that all machines must have: "glibc 2.31"; "" for no change
}

// Adapt changes an environment in the manifest after locking failed. For wheels of newer systems it
// names these. For packages that exist only as source: if they have wheels for other Python
// versions, it takes the next version that this machine has, else it permits to build them. If
// another version fails for another reason, the first one is taken again. Adapt returns nil if no
// change would help.
func (r *Result) Adapt(ctx context.Context, c *session.Config, environment string, failure error) (*Change, error) {
	change := &Change{}
	var systems []string
	for _, p := range diag.Problems(failure) {
		why, _, _ := strings.Cut(p.Found, "\n")
		for _, key := range slices.Sorted(maps.Keys(p.Keys)) {
			if !r.found.SetSystem(environment, key, p.Keys[key], why) {
				return nil, nil
			}
			systems = append(systems, key+" "+p.Keys[key])
		}
		change.Packages = append(change.Packages, p.Packages...)
		if len(p.Keys) == 0 && len(p.Packages) == 0 {
			change.Packages = r.found.FirstPython(environment)
			break
		}
	}
	change.System = strings.Join(systems, ", ")
	slices.Sort(change.Packages)
	change.Packages = slices.Compact(change.Packages)
	switch {
	case len(change.Packages) > 0 && r.found.CanBuild(environment, change.Packages):
		if err := r.adaptSource(ctx, c, environment, change); err != nil {
			return nil, err
		}
	case change.System == "":
		return nil, nil
	}
	return change, r.rewrite(environment, change)
}

// adaptSource takes another Python version, or permits to build packages.
func (r *Result) adaptSource(ctx context.Context, c *session.Config, environment string, change *Change) error {
	hasWheels, err := haveWheels(ctx, c, r.Root, change.Packages)
	if err != nil {
		return err
	}
	if hasWheels {
		change.Before, change.Python = r.found.NextPython(environment, change.Packages)
	}
	if change.Python == "" {
		r.found.Build(environment, change.Packages)
	}
	return nil
}

// rewrite replaces the manifest that Init wrote. One that was changed since is not touched.
func (r *Result) rewrite(environment string, change *Change) error {
	root, err := os.OpenRoot(r.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	have, err := rawfile.ReadRoot(root, r.Manifest, int64(len(r.written)), rawfile.NoFollow)
	if err != nil || string(have) != string(r.written) {
		return &diag.Problem{
			Code: "init.changed", Summary: fmt.Sprintf("%s was changed while init ran, and is not changed again", r.Manifest),
			Hint: fmt.Sprintf("add the packages that may be built to environment %s: `build: [%s]`", environment, strings.Join(change.Packages, ", ")),
		}
	}
	r.written = r.found.Manifest()
	return atomicfile.Write(root, r.Manifest, 0o644, r.written)
}

// Programs returns the sources whose build backends locking runs.
func (d *Adopted) Programs() []string { return d.found.Programs() }

// listed returns a list that is not nil, so that JSON has [] for an empty one.
func listed[T any](list []T) []T { return append([]T{}, list...) }

// Lines returns the result as text.
func (d *Adopted) Lines() []string {
	var lines []string
	if len(d.Read) > 0 {
		lines = append(lines, "Read: "+strings.Join(d.Read, ", "))
	}
	for _, text := range d.found.Describe() {
		lines = append(lines, "  "+text)
	}
	if d.found.Undeclared {
		lines = append(lines, "No file declares packages, so the environment has only Python: `reconcile add NAME` adds one.")
	}
	if n := len(d.Offers); n > 0 {
		text := "Not installed: " + strings.Join(d.Offers[:min(n, maxOffers)], ", ")
		if n > maxOffers {
			text += fmt.Sprintf(" and %d more", n-maxOffers)
		}
		lines = append(lines, text)
	}
	if len(d.Omitted) > 0 {
		lines = append(lines, "Not taken over:")
	}
	for _, o := range d.Omitted {
		lines = append(lines, "  "+o.Place+": "+o.Why)
	}
	return lines
}
