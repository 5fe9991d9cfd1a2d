package planner

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A FileSystem is a file system that holds a place, and what the plan needs of it.
type FileSystem struct {
	MountPoint string   `json:"mount_point"`
	Type       string   `json:"type"`            // "ext4", "nfs4"
	Places     []string `json:"places"`          // "project", "store", "models"
	Disk       int64    `json:"disk"`            // bytes that apply writes
	Free       int64    `json:"free"`            // bytes now
	Quota      int64    `json:"quota,omitempty"` // bytes that the quota of this user allows

	device string
}

// The places of a project.
const (
	inProject = "project" // files, directories, links
	inStore   = "store"   // environments, tools, interpreters, and all temporary files
	inModels  = "models"  // models, which apply does not write
)

// place is a directory whose file system is compared with the plan.
type place struct {
	name string
	key  facts.Key
}

// places returns the places of a project. models is the directory of the models, or "".
func places(project facts.Project, models string) []place {
	list := []place{{inProject, facts.DiskKey(".")}}
	if project.Store != "" { // else the facts are those of an earlier version
		list = append(list, place{inStore, facts.DiskKey(project.Store)})
	}
	if models != "" {
		list = append(list, place{inModels, facts.DiskKey(models)})
	}
	return list
}

// PlaceKeys returns the keys of the file systems with which a plan is compared.
func PlaceKeys(project facts.Project, models string) []facts.Key {
	var keys []facts.Key
	for _, at := range places(project, models) {
		keys = append(keys, at.key)
	}
	return keys
}

// placeOf returns where the files of a resource are written; "" for outside of all places.
func placeOf(own facts.Key) string {
	switch {
	case own.Kind == facts.KindModel:
		return inModels
	case own.Kind != facts.KindPath:
		return inStore
	case path.IsAbs(own.Name):
		return ""
	}
	return inProject
}

// describeStorage sets the file systems and the storage summary of the plan, and blocks a
// plan that cannot be written.
func (p *planning) describeStorage() {
	project, _ := facts.Find[facts.Project](p.facts, facts.ProjectKey)
	list := places(project, p.prior.Models)
	at := map[string]int{} // the file system of a place
	for _, place := range list {
		disk, ok := facts.Find[facts.Disk](p.facts, place.key)
		if !ok {
			continue
		}
		i := slices.IndexFunc(p.plan.FileSystems, func(f FileSystem) bool { return f.device == disk.Device })
		if i < 0 {
			i = len(p.plan.FileSystems)
			p.plan.FileSystems = append(p.plan.FileSystems, FileSystem{
				MountPoint: cmp.Or(disk.MountPoint, place.key.Name), Type: disk.FileSystem, Free: disk.Free, Quota: disk.Quota,
				device: disk.Device,
			})
		}
		p.plan.FileSystems[i].Places = append(p.plan.FileSystems[i].Places, place.name)
		at[place.name] = i
	}
	if i, ok := at[inProject]; ok {
		if _, known := at[inStore]; !known { // recorded before the store was probed
			at[inStore] = i
		}
	}
	for i := range p.plan.Items {
		item := &p.plan.Items[i]
		if fs, ok := at[placeOf(item.Resource.Spec.Owns())]; ok {
			p.plan.FileSystems[fs].Disk += item.Change.Need.Disk
		}
	}
	p.summarizeStorage()
	p.checkMounts(list)
	p.checkSpace(at)
}

// summarizeStorage sets the storage summary, if the manifest has a budget.
func (p *planning) summarizeStorage() {
	r := p.budgeter()
	if r == none {
		return
	}
	key, budget := p.list[r].Spec.(resources.Budgeter).StorageBudget()
	s := &Storage{Path: key.Name, Budget: budget}
	disk, known := facts.Find[facts.Disk](p.facts, key)
	s.Free = disk.Free
	for i := range p.plan.Items {
		s.Download += p.plan.Items[i].Change.Need.Download
	}
	for i := range p.plan.FileSystems {
		if f := &p.plan.FileSystems[i]; known && f.device == disk.Device {
			s.Disk = f.Disk
		}
	}
	p.plan.Storage = s
}

// budgeter returns the resource with the budget of the manifest, or none.
func (p *planning) budgeter() int32 {
	return int32(slices.IndexFunc(p.list, func(r resources.Resource) bool {
		_, ok := r.Spec.(resources.Budgeter)
		return ok
	}))
}

// checkMounts blocks the first change of each place that is mounted read-only, any change if
// the store is, which has the state, and the first one that needs programs of a store that is
// mounted noexec: an environment has its programs there, and the launchers in the project are
// links into the store.
func (p *planning) checkMounts(list []place) {
	for _, at := range list {
		disk, ok := facts.Find[facts.Disk](p.facts, at.key)
		if !ok || !disk.ReadOnly && !(disk.NoExec && at.name == inStore) {
			continue
		}
		change := func(item Item) bool { return !item.Check && changes(item.Change.Action) }
		i := slices.IndexFunc(p.plan.Items, func(item Item) bool {
			own := item.Resource.Spec.Owns()
			return change(item) && (placeOf(own) == at.name || at.name == inProject && own.Kind == facts.KindEnvironment)
		})
		if i < 0 && disk.ReadOnly && at.name == inStore {
			i = slices.IndexFunc(p.plan.Items, change) // it would be recorded there
		}
		if i < 0 {
			continue
		}
		p.block(i, p.mountProblem(at, disk))
	}
}

// mountProblem returns why nothing can be written to a place, or started from it.
func (p *planning) mountProblem(at place, disk facts.Disk) *diag.Problem {
	problem, options := &diag.Problem{}, "remount,rw"
	switch {
	case !disk.ReadOnly:
		options = "remount,exec"
		problem.Code, problem.Summary = "store.noexec", "the file system of the store is mounted noexec, and the programs of environments run from there"
		problem.Hint = "allow programs there"
	case at.name == inProject:
		problem.Code, problem.Summary = "project.read-only", "the file system of the project is mounted read-only"
	case at.name == inStore:
		problem.Code, problem.Summary = "store.read-only", "the file system of the store is mounted read-only"
	}
	if disk.ReadOnly {
		problem.Hint = "mount it for writing; `sudo dmesg` shows whether a disk error made it read-only"
	}
	problem.Found = fmt.Sprintf("%s is on a file system of type %s", p.absolute(at.key.Name), disk.FileSystem)
	if disk.MountPoint != "" {
		problem.Found += ", mounted at " + disk.MountPoint
		problem.Hint += ": `" + resources.ShellJoin("sudo", "mount", "-o", options, disk.MountPoint) + "`"
	}
	if at.name == inStore {
		problem.Hint += "; or set RECONCILE_STORE to a directory on another file system"
	}
	return problem
}

// checkSpace blocks a plan that needs more than is free on a file system. at has the file
// systems by place.
func (p *planning) checkSpace(at map[string]int) {
	for fs := range p.plan.FileSystems {
		f := &p.plan.FileSystems[fs]
		if f.Disk <= f.Free {
			continue
		}
		largest := -1
		for i := range p.plan.Items {
			item := &p.plan.Items[i]
			if on, ok := at[placeOf(item.Resource.Spec.Owns())]; !ok || on != fs || item.Change.Action == resources.Blocked {
				continue
			}
			if largest < 0 || item.Change.Need.Disk > p.plan.Items[largest].Change.Need.Disk {
				largest = i
			}
		}
		if r := p.budgeter(); r != none && p.item[r] != none { // the manifest names the file system
			key, _ := p.list[r].Spec.(resources.Budgeter).StorageBudget()
			if disk, ok := facts.Find[facts.Disk](p.facts, key); ok && disk.Device == f.device {
				largest = int(p.item[r])
			}
		}
		if largest >= 0 {
			p.block(largest, f.full())
		}
	}
}

// full returns the problem of a file system without the space that the plan needs.
func (f *FileSystem) full() *diag.Problem {
	problem := &diag.Problem{
		Code: "plan.disk",
		Summary: fmt.Sprintf("this plan needs %s on the file system of %s (%s), and %s are free there",
			bytesize.Format(f.Disk), f.MountPoint, strings.Join(f.Places, ", "), bytesize.Format(f.Free)),
		Hint: fmt.Sprintf("free %s there", bytesize.Format(f.Disk-f.Free)),
	}
	if f.Quota > 0 {
		problem.Found = "your quota there is " + bytesize.Format(f.Quota)
	}
	if slices.Contains(f.Places, inStore) {
		problem.Hint += "; `reconcile gc` removes unused generations. Or set RECONCILE_STORE to a directory on another file system"
	}
	return problem
}

// changes reports whether an action writes something.
func changes(a resources.Action) bool { return a != resources.None && a != resources.Blocked }

// absolute returns a path of facts as an absolute one, if the project's root is known.
func (p *planning) absolute(name string) string {
	if path.IsAbs(name) || p.plan.Root == "" {
		return name
	}
	return path.Join(p.plan.Root, name)
}

// block blocks an item, and so the whole plan.
func (p *planning) block(i int, problem *diag.Problem) {
	item := &p.plan.Items[i]
	if item.Change.Action == resources.Blocked {
		return
	}
	problem.Addr, problem.Pos = item.Resource.Addr.String(), item.Resource.Pos
	item.Change.Action, item.Change.Problem = resources.Blocked, problem
}
