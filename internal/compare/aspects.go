package compare

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
)

// addAspects adds the rows that do not depend on the manifest.
func addAspects(add func(topic, name string, get func(*Machine) cell)) {
	host := func(name string, get func(facts.Host) string) {
		add("platform", name, fromFact(facts.HostKey, get))
	}
	host("platform", func(h facts.Host) string { return h.Platform })
	host("system", func(h facts.Host) string { return strings.TrimSpace(h.OS + " " + h.OSVersion) })
	host("C library", func(h facts.Host) string {
		return cmp.Or(strings.TrimSpace(h.Libc.Name+" "+h.Libc.Version), "that of the system")
	})
	host("container", func(h facts.Host) string { return cmp.Or(h.Container, "none") })
	add("platform", "package index", fromFact(facts.IndexKey, func(i facts.Index) string { return i.URL }))
	add("gpu", "GPUs", (*Machine).gpus)
	add("gpu", "driver", (*Machine).driver)
	add("gpu", "CUDA of the driver", (*Machine).cuda)
	add("gpu", "CUDA toolkit", fromFact(facts.ToolkitKey, func(t facts.Toolkit) string { return cmp.Or(t.Version, "none") }))
	add("python", "environment", (*Machine).environment)
	add("python", "interpreter", (*Machine).interpreter)
	add("python", "installed", (*Machine).installed)
	add("python", "Python installed", (*Machine).python)
}

// fromFact returns a function that gets a value from one fact.
func fromFact[F facts.Fact](key facts.Key, get func(F) string) func(*Machine) cell {
	return func(m *Machine) cell {
		f, ok := facts.Find[F](m.Facts, key)
		if !ok {
			return unknown
		}
		return value(get(f))
	}
}

// nvidia returns the fact of the driver, or the cell of a machine without it: "none" if
// the machine has no NVIDIA GPU, else unknown.
func (m *Machine) nvidia() (n facts.Nvidia, without cell, ok bool) {
	if n, ok := facts.Find[facts.Nvidia](m.Facts, facts.NvidiaKey); ok {
		return n, unknown, true
	}
	if gpu, ok := facts.Find[facts.GPU](m.Facts, facts.GPUKey); ok && gpu.Vendor != "nvidia" && gpu.Vendor != "" {
		return n, value("none"), false
	}
	return n, unknown, false
}

// gpus counts the GPUs by name and memory. Used memory is not compared.
func (m *Machine) gpus() cell {
	n, without, ok := m.nvidia()
	if !ok && without == unknown {
		return unknown
	}
	var names []string
	count := map[string]int{}
	gpu, _ := facts.Find[facts.GPU](m.Facts, facts.GPUKey)
	for _, g := range gpu.Others {
		name := g.Name
		if g.Memory > 0 && !g.Integrated {
			name += fmt.Sprintf(", %d MiB", g.Memory>>20)
		}
		if count[name]++; count[name] == 1 {
			names = append(names, name)
		}
	}
	for _, d := range n.Devices {
		name := d.Name
		if d.Memory > 0 {
			name += fmt.Sprintf(", %d MiB", d.Memory>>20)
		}
		if d.MIG == "enabled" {
			name += fmt.Sprintf(", in %s", plural.Count(len(d.Slices), "slice"))
		}
		if count[name]++; count[name] == 1 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = fmt.Sprintf("%d x %s", count[name], name)
	}
	return value(cmp.Or(strings.Join(names, "; "), "none"))
}

func (m *Machine) driver() cell {
	n, without, ok := m.nvidia()
	switch {
	case !ok:
		return without
	case n.State == facts.NoDriver:
		return value("none")
	case n.State == facts.DriverBroken:
		return value("does not answer: " + n.Reason)
	}
	return value(n.Driver)
}

func (m *Machine) cuda() cell {
	n, without, ok := m.nvidia()
	switch {
	case !ok:
		return without
	case n.State != facts.DriverOK:
		return value("none")
	case n.CUDA == "" && !n.NoLibcuda:
		return unknown
	}
	return value(cmp.Or(n.CUDA, "none"))
}

func (m *Machine) environment() cell {
	if m.Environment == "" && m.Unselected != "" {
		return value("none: " + m.Unselected)
	}
	return value(cmp.Or(m.Environment, "none"))
}

// interpreter returns the Python of the machine that creates environments.
func (m *Machine) interpreter() cell {
	if m.Python == "" {
		return unknown
	}
	found, ok := facts.Find[facts.Pythons](m.Facts, facts.PythonKey(m.Python))
	if !ok {
		return unknown
	}
	best, ok := found.Usable()
	if !ok {
		return value("no Python " + m.Python)
	}
	return cell{fmt.Sprintf("%s (%s)", best.Version, best.Source), best.Version}
}

// generation returns the active generation of the machine's environment.
func (m *Machine) generation() (facts.Generation, bool) {
	e, ok := facts.Find[facts.Environment](m.Facts, facts.EnvironmentKey(m.Environment))
	if !ok || e.Foreign != "" {
		return facts.Generation{}, false
	}
	return e.CurrentGeneration()
}

// installed describes the environment. The number of packages is not compared, because
// each package has its own row.
func (m *Machine) installed() cell {
	e, ok := facts.Find[facts.Environment](m.Facts, facts.EnvironmentKey(m.Environment))
	switch {
	case m.Environment == "":
		return value("nothing")
	case !ok:
		return unknown
	case e.Foreign != "":
		return value("not managed by reconcile: " + e.Foreign)
	}
	g, ok := e.CurrentGeneration()
	if !ok {
		return value("not built")
	}
	text := plural.Count(len(g.Packages), "package")
	if len(g.Conda) > 0 {
		text += " and " + plural.Count(len(g.Conda), "conda package")
	}
	if n := len(g.Damage); n > 0 {
		return cell{text + ", damaged in " + plural.Count(n, "place"), "damaged"}
	}
	return cell{text, "built"}
}

func (m *Machine) python() cell {
	g, ok := m.generation()
	if !ok {
		return unknown
	}
	return value(g.Python)
}

// pkg returns the version of a package, unknown for a machine without an environment.
func (m *Machine) pkg(name string) cell {
	g, ok := m.generation()
	if !ok {
		return unknown
	}
	if conda, ok := strings.CutSuffix(name, condaSuffix); ok {
		for _, p := range g.Conda {
			if p.Name == conda {
				return value(p.Version)
			}
		}
		return value("absent")
	}
	for _, p := range g.Packages {
		if p.Name == name {
			if p.Origin != "" {
				return value(p.Version + " (" + p.Origin + ")")
			}
			return value(p.Version)
		}
	}
	return value("absent")
}

// folder returns the path of a folder and the type of the existing file.
func (m *Machine) folder(name string) cell {
	i := slices.IndexFunc(m.Folders, func(f Folder) bool { return f.Name == name })
	if i < 0 {
		return value("not in the manifest")
	}
	place := m.Folders[i].Path
	p, ok := facts.Find[facts.Path](m.Facts, facts.PathKey(place))
	if !ok {
		return unknown
	}
	text := place + ": " + string(p.Type)
	switch {
	case p.Parent != "":
		text = fmt.Sprintf("%s: below the %s", place, p.Parent)
	case p.Type == facts.Dir:
		text += " " + p.Mode.String()
	case p.Type == facts.Symlink:
		text += " to " + p.Target
	}
	return value(text)
}

// diskSpace compares the free space with the limits of the manifest. The bytes themselves
// are not compared.
func (m *Machine) diskSpace() cell {
	path := cmp.Or(m.Disk.Path, ".")
	d, ok := facts.Find[facts.Disk](m.Facts, facts.DiskKey(path))
	if !ok {
		return unknown
	}
	verdict := "enough"
	switch {
	case d.ReadOnly || !d.Writable:
		verdict = "not writable"
	case d.Free < m.Disk.FailBelow:
		verdict = "too little"
	case d.Free < m.Disk.WarnBelow:
		verdict = "little"
	}
	return cell{fmt.Sprintf("%s: %s of %s", verdict, bytesize.Format(d.Free), bytesize.Format(d.Total)), verdict}
}
