package doctor

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/generation"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/pybuild"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/conda"
)

// system reports the operating system and the platform.
func (d *diagnosis) system() findings {
	h, ok := facts.Find[facts.Host](d.facts, facts.HostKey)
	if !ok {
		return d.notProbed(facts.HostKey)
	}
	return okf("%s%s", strings.TrimPrefix(h.OSVersion+", ", ", "), h.Platform)
}

// libc checks that wheels run with the C library: those of the lock, or else the oldest ones that
// can be locked.
func (d *diagnosis) libc() findings {
	h, ok := facts.Find[facts.Host](d.facts, facts.HostKey)
	oldest := fmt.Sprintf("2.%d", lock.OldestGlibc)
	switch {
	case !ok || h.OS != "linux":
		return nil // there is only one
	case h.Libc.Name == "":
		return unknownf("neither glibc nor musl was found")
	case h.Libc.Name == "musl":
		return warnf("use a system with glibc, such as Debian or Ubuntu", "musl %s: torch and its CUDA libraries have no wheels for it", h.Libc.Version)
	case older(h.Libc.Version, oldest):
		return failf("use a newer system, or a container image of one", "glibc %s; wheels need %s or newer", h.Libc.Version, oldest)
	}
	if p := generation.SystemProblem(d.closure(h.Platform), h); p != nil {
		return problemFinding(p)
	}
	return okf("%s %s", h.Libc.Name, h.Libc.Version)
}

// closure returns the locked packages of the environment for a platform, nil if there are none.
func (d *diagnosis) closure(platform string) []lock.Dist {
	if d.env == nil {
		return nil
	}
	locked, _, err := d.manifest.Locked(d.env)
	if err != nil || locked == nil {
		return nil
	}
	closure, err := locked.For(platform)
	if err != nil {
		return nil // the plan reports that
	}
	return closure
}

// container reports the container that this machine is, since its driver is outside.
func (d *diagnosis) container() findings {
	h, ok := facts.Find[facts.Host](d.facts, facts.HostKey)
	switch {
	case !ok:
		return nil
	case h.Container == "":
		return okf("none found")
	case h.Container == "wsl":
		return okf("WSL: the NVIDIA driver is installed in Windows, not in WSL")
	}
	return okf("%s: the NVIDIA driver is installed on the host", h.Container)
}

// checkManifest reports whether the manifest exists and is valid.
func (d *diagnosis) checkManifest() findings {
	if d.manifest != nil {
		return okf("%s, %s", d.name, plural.Count(len(d.manifest.Environments), "environment"))
	}
	problems := diag.Problems(d.manifestErr)
	found := problemFinding(problems[0])
	if problems[0].Code == "manifest.absent" {
		found[0].State = report.Warn
	} else if n := len(problems) - 1; n > 0 {
		found[0].Found += fmt.Sprintf("\nand %d more; `reconcile validate` lists them", n)
	}
	return found
}

// selected reports the environment for this machine.
func (d *diagnosis) selected() findings {
	switch {
	case d.manifest == nil:
		return skippedf("no manifest")
	case d.selectErr != nil:
		return problemFinding(diag.Problems(d.selectErr)[0])
	case d.env == nil:
		return skippedf("%s has no environment", d.name)
	}
	return okf("%s: type %s, Python %s", d.env.Name, d.env.Type, d.env.Python)
}

// python reports the interpreter of the environment, or all of this machine if none is
// selected. Type conda installs its own; any other runs the helper programs.
func (d *diagnosis) python() findings {
	if d.env != nil && d.env.Type != "conda" {
		return findings{d.pythonMinor(facts.PythonKey(d.env.Python))}
	}
	var found findings
	keys := d.facts.Keys()
	slices.SortStableFunc(keys, func(a, b facts.Key) int { return len(a.Name) - len(b.Name) }) // 3.9 before 3.10
	for _, k := range keys {
		if f, ok := facts.Find[facts.Pythons](d.facts, k); ok && len(f.Found) > 0 {
			found = append(found, d.pythonMinor(k))
		}
	}
	if len(found) == 0 {
		return warnf("`reconcile apply` installs one for an environment of the manifest", "not found on this machine")
	}
	return found
}

// pythonMinor reports the interpreter of one Python minor version.
func (d *diagnosis) pythonMinor(k facts.Key) report.Finding {
	name := "Python " + k.Name
	f, ok := facts.Find[facts.Pythons](d.facts, k)
	if !ok {
		return report.Finding{Name: name, State: report.Unknown, Found: d.reason(k)}
	}
	if i, ok := f.Usable(); ok {
		if changed := d.changedBuild(i.Path); changed != "" {
			return report.Finding{Name: name, State: report.Fail, Found: i.Path + ": " + changed, Remedy: "`reconcile heal` fetches it again"}
		}
		return report.Finding{Name: name, State: report.OK, Found: fmt.Sprintf("%s, %s (%s)", i.Version, i.Path, i.Source)}
	}
	text := "not found on this machine"
	if len(f.Found) > 0 {
		text = "none can be used"
	}
	for _, i := range f.Found {
		text += "\n" + i.Path + ": " + i.Refused
	}
	remedy := "`reconcile apply` installs one if it has a build for this platform; otherwise install " + name
	return report.Finding{Name: name, State: report.Warn, Found: text, Remedy: remedy}
}

// changedBuild compares the interpreter at a path with the archive that it is from, if it is in
// the store, and returns what was changed; "" for nothing, and for any other interpreter.
func (d *diagnosis) changedBuild(base string) string {
	if d.prober == nil {
		return ""
	}
	switch damaged, err := session.VerifyPython(d.ctx, d.prober.Store(), base); {
	case err != nil:
		return err.Error()
	case damaged != nil:
		return pybuild.ChangedText(damaged.Files)
	}
	return ""
}

// uv reports the program that resolves versions.
func (d *diagnosis) uv() findings {
	k := facts.ToolKey("uv")
	t, ok := facts.Find[facts.Tool](d.facts, k)
	switch {
	case !ok:
		return d.notProbed(k)
	case t.Refused != "" && t.Source == "reconcile":
		return warnf("`reconcile lock` replaces it", "%s", t.Refused)
	case t.Refused != "":
		return warnf("install another uv, or remove this one from PATH", "%s", t.Refused)
	case t.Path == "":
		return okf("none; `reconcile lock` fetches one if it has a build for this platform")
	}
	return okf("%s, %s", cmp.Or(t.Version, "unknown version"), t.Path)
}

// conda reports the conda clients.
func (d *diagnosis) conda() findings {
	var found, reasons []string
	for _, name := range conda.Clients() {
		k := facts.ToolKey(name)
		switch t, ok := facts.Find[facts.Tool](d.facts, k); {
		case !ok:
			reasons = append(reasons, d.reason(k))
		case t.Refused != "":
			reasons = append(reasons, t.Refused)
		case t.Path != "":
			found = append(found, fmt.Sprintf("%s %s, %s", name, cmp.Or(t.Version, "of unknown version"), t.Path))
		}
	}
	needed := d.env != nil && d.env.Type == "conda"
	switch {
	case len(found) > 0:
		return okf("%s", strings.Join(found, "\n"))
	case !needed:
		return skippedf("none found, and none is needed")
	case len(reasons) > 0:
		return unknownf("%s", strings.Join(slices.Compact(reasons), "\n"))
	case d.env.Conda.Engine != "auto" && d.env.Conda.Engine != "rattler":
		return failf("install it and put it on PATH, or set `engine: auto`", "%s is missing, and environment %s asks for it", d.env.Conda.Engine, d.env.Name)
	}
	return okf("none; `reconcile apply` installs py-rattler instead")
}

// storageDisk checks the file system of the manifest's storage if it is another folder than
// the project's.
func (d *diagnosis) storageDisk() findings {
	if d.manifest == nil || d.manifest.Storage == nil || d.manifest.Storage.Path == "." {
		return nil
	}
	return d.disk(d.manifest.Storage.Path)
}

// storeDisk checks the file system of the store.
func (d *diagnosis) storeDisk() findings {
	place, ok := facts.Find[facts.Project](d.facts, facts.ProjectKey)
	if !ok || place.Store == "" { // facts of an earlier version
		return nil
	}
	store, ok := facts.Find[facts.Disk](d.facts, facts.DiskKey(place.Store))
	project, known := facts.Find[facts.Disk](d.facts, facts.DiskKey("."))
	if ok && store.NoExec {
		remedy := "set RECONCILE_STORE to a directory on another file system"
		if store.MountPoint != "" {
			remedy = "`" + resources.ShellJoin("sudo", "mount", "-o", "remount,exec", store.MountPoint) + "`, or " + remedy
		}
		return failf(remedy, "the file system of %s, mounted at %s, is noexec, so that no program of an environment can be started", place.Store, cmp.Or(store.MountPoint, "an unknown directory"))
	}
	if ok && known && store.Device == project.Device && store.Writable == project.Writable {
		return okf("%s, on the file system of the project", place.Store)
	}
	return d.disk(place.Store)
}

// disk checks the file system of a path, and its free space against the limits of the
// manifest.
func (d *diagnosis) disk(path string) findings {
	const (
		typical   = 28_000_000_000 // bytes of an environment with torch and of one model, about
		fewInodes = 50_000         // of an environment with torch, about
		remedy    = "free disk space, or use another disk"
	)
	k := facts.DiskKey(path)
	disk, ok := facts.Find[facts.Disk](d.facts, k)
	if !ok {
		return d.notProbed(k)
	}
	var storage manifest.Storage
	if d.manifest != nil && d.manifest.Storage != nil && d.manifest.Storage.Path == path {
		storage = *d.manifest.Storage
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.root, path)
	}
	text := fmt.Sprintf("%s free of %s (%s) at %s", bytesize.Format(disk.Free), bytesize.Format(disk.Total), disk.FileSystem, path)
	if disk.Quota > 0 {
		text = fmt.Sprintf("%s free of your quota of %s (%s) at %s", bytesize.Format(disk.Free), bytesize.Format(disk.Quota), disk.FileSystem, path)
	}
	switch {
	case disk.ReadOnly:
		return failf("remount it read-write; `sudo dmesg` shows whether a disk error made it read-only", "the file system at %s, mounted at %s, is read-only", path, cmp.Or(disk.MountPoint, "an unknown directory"))
	case !disk.Writable:
		return failf("change the owner of the folder, or use another one", "this user cannot write to %s", path)
	case disk.Free < storage.FailBelow:
		return failf(remedy, "%s; the manifest requires %s", text, bytesize.Format(storage.FailBelow))
	case disk.FreeInodes >= 0 && disk.FreeInodes < fewInodes:
		return warnf("delete folders with many small files", "%s, but only %d inodes; an environment needs tens of thousands", text, disk.FreeInodes)
	case disk.Free < typical && d.manifest == nil && k.Name == ".":
		return warnf(remedy, "%s; an environment with torch and one model need about %s", text, bytesize.Format(typical))
	case disk.Free < storage.WarnBelow:
		return warnf(remedy, "%s; the manifest warns below %s", text, bytesize.Format(storage.WarnBelow))
	}
	return okf("%s", text)
}

// pythonEnd reports the end of life of the Python of the selected environment.
func (d *diagnosis) pythonEnd() findings {
	if d.env == nil {
		return skippedf("no environment is selected")
	}
	if text := session.PythonEndText(d.manifest, d.env, d.config.Time()); text != "" {
		return warnf("set a later `python` for environment "+d.env.Name+", or accept it in `audit.ignore` of the manifest", "%s", text)
	}
	if end, ok := catalog.PythonEnd(d.env.Python); ok {
		return okf("Python %s gets fixes until %s", d.env.Python, end)
	}
	return unknownf("the end of life of Python %s is not known", d.env.Python)
}
