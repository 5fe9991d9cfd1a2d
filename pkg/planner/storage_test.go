package planner

import (
	"strconv"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// needing is a resource that owns a key, is absent and needs space.
type needing struct {
	own  facts.Key
	need int64
}

func (s *needing) Owns() facts.Key    { return s.own }
func (s *needing) Reads() []facts.Key { return nil }
func (s *needing) Diff(facts.View) resources.Change {
	return resources.Change{Action: resources.Create, Need: resources.Need{Disk: s.need}}
}

// planWith plans an environment of 5,000 bytes and a file of 10 on the file systems of a
// project, its store and its models.
func planWith(t *testing.T, project, store, models facts.Disk) *Plan {
	t.Helper()
	f := facts.Of(facts.Project{Root: "/srv/p", Store: "/store"})
	for name, d := range map[string]facts.Disk{".": project, "/store": store, "/big/models": models} {
		d.Path = name
		f.Set(d)
	}
	list := []resources.Resource{
		{Addr: resources.Addr{Kind: "file", Name: "a"}, Spec: &needing{facts.PathKey("a"), 10}},
		{Addr: resources.Addr{Kind: "tool", Name: "uv"}, Spec: &needing{facts.ToolKey("uv"), 1000}},
		{Addr: resources.Addr{Kind: "venv", Name: "local"}, Spec: &needing{facts.EnvironmentKey("local"), 4000}},
	}
	p, err := Prior{Models: "/big/models"}.Make(list, f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFileSystemsAreSummedByDevice(t *testing.T) {
	root := facts.Disk{Device: "8:1", MountPoint: "/", FileSystem: "ext4", Free: 10_000}
	big := facts.Disk{Device: "8:2", MountPoint: "/big", FileSystem: "xfs", Free: 20_000, Quota: 30_000}
	for _, c := range []struct {
		project, store, models facts.Disk
		want                   string
	}{
		{root, root, root, "/ project,store,models 5010"},
		{root, root, big, "/ project,store 5010; /big models 0"},
		{root, big, big, "/ project 10; /big store,models 5000"},
		{big, root, big, "/big project,models 10; / store 5000"},
	} {
		p := planWith(t, c.project, c.store, c.models)
		var got []string
		for _, f := range p.FileSystems {
			got = append(got, strings.Join([]string{f.MountPoint, strings.Join(f.Places, ","), strconv.FormatInt(f.Disk, 10)}, " "))
		}
		if text := strings.Join(got, "; "); text != c.want || p.Totals().Blocked != 0 {
			t.Errorf("%q, not %q; %d blocked", text, c.want, p.Totals().Blocked)
		}
	}
}

// TestUnusableFileSystemBlocksThePlan checks that one problem names the file system, at a
// resource that would write there.
func TestUnusableFileSystemBlocksThePlan(t *testing.T) {
	good := facts.Disk{Device: "8:1", MountPoint: "/", FileSystem: "ext4", Free: 10_000}
	bad := func(change func(*facts.Disk)) facts.Disk {
		d := facts.Disk{Device: "8:2", MountPoint: "/mnt/other", FileSystem: "ext4", Free: 10_000}
		change(&d)
		return d
	}
	readOnly := bad(func(d *facts.Disk) { d.ReadOnly = true })
	noExec := bad(func(d *facts.Disk) { d.NoExec = true })
	full := bad(func(d *facts.Disk) { d.Free = 4_999 })
	tiny := bad(func(d *facts.Disk) { d.Free, d.Quota = 9, 100 })
	for name, c := range map[string]struct {
		project, store, models facts.Disk
		code, addr             string // "" if the plan is not blocked
		text                   []string
	}{
		"store read-only":   {good, readOnly, good, "store.read-only", "tool.uv", []string{"type ext4, mounted at /mnt/other", "remount,rw /mnt/other", "RECONCILE_STORE"}},
		"project read-only": {readOnly, good, good, "project.read-only", "file.a", []string{"/srv/p is on a file system of type ext4, mounted at /mnt/other", "remount,rw /mnt/other"}},
		"models read-only":  {good, good, readOnly, "", "", nil},
		"store noexec":      {good, noExec, good, "store.noexec", "tool.uv", []string{"type ext4, mounted at /mnt/other", "remount,exec /mnt/other", "RECONCILE_STORE"}},
		"project noexec":    {noExec, good, good, "", "", nil},
		"models noexec":     {good, good, noExec, "", "", nil},
		"store full":        {good, full, good, "plan.disk", "venv.local", []string{"5 kB", "/mnt/other (store)", "free 1 B there", "RECONCILE_STORE", "reconcile gc"}},
		"project full":      {tiny, good, good, "plan.disk", "file.a", []string{"10 B", "/mnt/other (project)", "free 1 B there", "your quota there is 100 B"}},
		"models full":       {good, good, tiny, "", "", nil},
		"all on one":        {full, full, full, "plan.disk", "venv.local", []string{"(project, store, models)", "free 11 B"}},
	} {
		p := planWith(t, c.project, c.store, c.models)
		var blocked []*diag.Problem
		for i := range p.Items {
			if p.Items[i].Change.Action == resources.Blocked {
				blocked = append(blocked, p.Items[i].Change.Problem)
			}
		}
		if c.code == "" {
			if len(blocked) != 0 {
				t.Errorf("%s: %v", name, blocked[0])
			}
			continue
		}
		if len(blocked) != 1 || blocked[0].Code != c.code || blocked[0].Addr != c.addr {
			t.Errorf("%s: %v", name, blocked)
			continue
		}
		text := blocked[0].Summary + "\n" + blocked[0].Found + "\n" + blocked[0].Hint
		for _, want := range c.text {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is not in\n%s", name, want, text)
			}
		}
	}
}

// sharing is a resource that needs space for files that others may need too.
type sharing struct {
	needing
	files []string
}

func (s *sharing) Diff(v facts.View) resources.Change {
	c := s.needing.Diff(v)
	for _, name := range s.files {
		part := resources.Need{Download: 10, Disk: 100}
		c.Need.Download += part.Download
		c.Need.Disk += part.Disk
		c.Shared = append(c.Shared, resources.SharedNeed{SHA256: name, Need: part})
	}
	return c
}

func TestSharedFilesAreCountedOnce(t *testing.T) {
	list := []resources.Resource{
		{Addr: resources.Addr{Kind: "venv", Name: "train"}, Spec: &sharing{needing{facts.EnvironmentKey("train"), 1}, []string{"torch", "numpy"}}},
		{Addr: resources.Addr{Kind: "venv", Name: "eval"}, Spec: &sharing{needing{facts.EnvironmentKey("eval"), 2}, []string{"vllm", "torch"}}},
	}
	f := facts.Of(facts.Project{Root: "/srv/p", Store: "/store"}, facts.Disk{Path: "/store", Device: "8:1", MountPoint: "/", Free: 303})
	p, err := Make(list, f)
	if err != nil {
		t.Fatal(err)
	}
	want := []resources.Need{{Download: 20, Disk: 201}, {Download: 10, Disk: 102}}
	for i := range p.Items {
		if got := p.Items[i].Change.Need; got != want[i] {
			t.Errorf("%s needs %+v, want %+v", p.Items[i].Resource.Addr, got, want[i])
		}
	}
	if p.FileSystems[0].Disk != 303 || p.Totals().Blocked > 0 {
		t.Errorf("%d bytes on disk, %d blocked", p.FileSystems[0].Disk, p.Totals().Blocked)
	}
}
