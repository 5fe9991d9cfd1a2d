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

// aspects are what every machine is asked.
var aspects = []struct {
	topic, name string
	ask         func(*Machine) cell
}{
	{"platform", "platform", ofHost(func(h facts.Host) string { return h.Platform })},
	{"platform", "system", ofHost(func(h facts.Host) string { return strings.TrimSpace(h.OS + " " + h.OSVersion) })},
	{"platform", "C library", ofHost(func(h facts.Host) string {
		return cmp.Or(strings.TrimSpace(h.Libc.Name+" "+h.Libc.Version), "that of the system")
	})},
	{"platform", "container", ofHost(func(h facts.Host) string { return cmp.Or(h.Container, "none") })},
	{"platform", "package index", (*Machine).index},
	{"gpu", "GPUs", (*Machine).gpus},
	{"gpu", "driver", (*Machine).driver},
	{"gpu", "CUDA of the driver", (*Machine).cuda},
	{"gpu", "CUDA toolkit", (*Machine).toolkit},
	{"python", "environment", (*Machine).environment},
	{"python", "interpreter", (*Machine).interpreter},
	{"python", "installed", (*Machine).installed},
	{"python", "Python installed", (*Machine).python},
}

// ofHost asks the fact of the machine itself.
func ofHost(ask func(facts.Host) string) func(*Machine) cell {
	return func(m *Machine) cell {
		h, ok := facts.Find[facts.Host](m.Facts, facts.HostKey)
		if !ok {
			return silent
		}
		return says(ask(h))
	}
}

func (m *Machine) index() cell {
	index, ok := facts.Find[facts.Index](m.Facts, facts.IndexKey)
	if !ok {
		return silent
	}
	return says(index.URL)
}

// noGPU is the answer to all that only a machine with a GPU can say.
var noGPU = says("none")

// nvidia returns what the driver says. A machine without a GPU was not asked, and has
// none.
func (m *Machine) nvidia() (n facts.Nvidia, answer cell, ok bool) {
	if n, ok := facts.Find[facts.Nvidia](m.Facts, facts.NvidiaKey); ok {
		return n, silent, true
	}
	if gpu, ok := facts.Find[facts.GPU](m.Facts, facts.GPUKey); ok && gpu.Vendor == "none" {
		return n, noGPU, false
	}
	return n, silent, false
}

// gpus counts the GPUs by name and memory. What is used of them changes all the time,
// and is no difference between machines.
func (m *Machine) gpus() cell {
	n, answer, ok := m.nvidia()
	if !ok {
		return answer
	}
	var names []string
	count := map[string]int{}
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
	return says(cmp.Or(strings.Join(names, "; "), "none"))
}

func (m *Machine) driver() cell {
	n, answer, ok := m.nvidia()
	switch {
	case !ok:
		return answer
	case n.State == facts.NoDriver:
		return says("none")
	case n.State == facts.DriverBroken:
		return says("does not answer: " + n.Reason)
	}
	return says(n.Driver)
}

func (m *Machine) cuda() cell {
	n, answer, ok := m.nvidia()
	switch {
	case !ok:
		return answer
	case n.State != facts.DriverOK:
		return says("none")
	case n.CUDA == "" && !n.NoLibcuda:
		return silent
	}
	return says(cmp.Or(n.CUDA, "none"))
}

func (m *Machine) toolkit() cell {
	t, ok := facts.Find[facts.Toolkit](m.Facts, facts.ToolkitKey)
	if !ok {
		return silent
	}
	return says(cmp.Or(t.Version, "none"))
}

func (m *Machine) environment() cell {
	if m.Environment == "" && m.Unselected != "" {
		return says("none: " + m.Unselected)
	}
	return says(cmp.Or(m.Environment, "none"))
}

// interpreter is the Python of the machine that environments are made from.
func (m *Machine) interpreter() cell {
	if m.Python == "" {
		return silent
	}
	found, ok := facts.Find[facts.Pythons](m.Facts, facts.PythonKey(m.Python))
	if !ok {
		return silent
	}
	best, ok := found.Usable()
	if !ok {
		return says("no Python " + m.Python)
	}
	return cell{fmt.Sprintf("%s (%s)", best.Version, best.Source), best.Version}
}

// generation returns what the machine's environment shows.
func (m *Machine) generation() (facts.Generation, bool) {
	e, ok := facts.Find[facts.Environment](m.Facts, facts.EnvironmentKey(m.Environment))
	if !ok || e.Foreign != "" {
		return facts.Generation{}, false
	}
	return e.CurrentGeneration()
}

// installed says whether there is an environment, and how many packages it has. What
// they are is compared one by one, so their number is no difference of its own.
func (m *Machine) installed() cell {
	e, ok := facts.Find[facts.Environment](m.Facts, facts.EnvironmentKey(m.Environment))
	switch {
	case m.Environment == "":
		return says("nothing")
	case !ok:
		return silent
	case e.Foreign != "":
		return says("not ours: " + e.Foreign)
	}
	g, ok := e.CurrentGeneration()
	if !ok {
		return says("not built")
	}
	text := plural.Count(len(g.Packages), "package")
	if len(g.Conda) > 0 {
		text += fmt.Sprintf(" and %d of conda", len(g.Conda))
	}
	key := "built"
	if n := len(g.Damage); n > 0 {
		text += ", damaged in " + plural.Count(n, "place")
		key = "damaged"
	}
	return cell{text, key}
}

func (m *Machine) python() cell {
	g, ok := m.generation()
	if !ok {
		return silent
	}
	return says(g.Python)
}

// pkg is the version of one package; a machine without an environment does not say.
func (m *Machine) pkg(name string) cell {
	g, ok := m.generation()
	if !ok {
		return silent
	}
	if conda, ok := strings.CutSuffix(name, ofConda); ok {
		for _, p := range g.Conda {
			if p.Name == conda {
				return says(p.Version)
			}
		}
		return says("absent")
	}
	for _, p := range g.Packages {
		if p.Name == name {
			text := p.Version
			if p.Origin != "" {
				text += " (" + p.Origin + ")"
			}
			return says(text)
		}
	}
	return says("absent")
}

// folder says what stands at the place of one folder, and where that is.
func (m *Machine) folder(name string) cell {
	i := slices.IndexFunc(m.Folders, func(f Folder) bool { return f.Name == name })
	if i < 0 {
		return says("not asked for")
	}
	place := m.Folders[i].Path
	p, ok := facts.Find[facts.Path](m.Facts, facts.PathKey(place))
	if !ok {
		return silent
	}
	text := place + ": " + string(p.Type)
	switch {
	case p.Parent != "":
		text = fmt.Sprintf("%s: behind the %s", place, p.Parent)
	case p.Type == facts.Dir:
		text += " " + p.Mode.String()
	case p.Type == facts.Symlink:
		text += " to " + p.Target
	}
	return says(text)
}

// headroom compares what is free with the limits of the manifest: the figures differ
// at any time, what they mean does not.
func (m *Machine) headroom() cell {
	path := cmp.Or(m.Disk.Path, ".")
	d, ok := facts.Find[facts.Disk](m.Facts, facts.DiskKey(path))
	if !ok {
		return silent
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
