package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// machine prints the environments with all packages, the GPU and the disks.
func (p *page) machine(m Machine) {
	installed := runrecord.InstalledOn(m.Facts, m.Plan)
	for _, e := range installed.Environments {
		p.environment(e, listing{all: true})
	}
	rows := installedRows(installed)
	if len(rows) == 0 {
		return
	}
	p.heading("Machine")
	p.table(2, rows)
	p.blank()
}

// installedRows returns a row for everything but the environments.
func installedRows(m runrecord.Installed) [][2]string {
	var rows [][2]string
	if m.GPU != nil {
		rows = append(rows, [2]string{"GPU", gpuText(*m.GPU)})
	}
	if m.Nvidia != nil {
		rows = append(rows, nvidiaRows(*m.Nvidia)...)
	}
	for _, d := range m.Disks {
		rows = append(rows, [2]string{"disk " + d.Path, fmt.Sprintf("%s free of %s", bytesize.Format(d.Free), bytesize.Format(d.Total))})
	}
	for _, u := range m.Unknown {
		rows = append(rows, [2]string{u.Key.String(), "not known: " + u.Reason})
	}
	return rows
}

// nvidiaRows returns a row for CUDA and for each GPU and MIG device.
func nvidiaRows(n facts.Nvidia) [][2]string {
	switch n.State {
	case facts.NoDriver:
		return nil
	case facts.DriverBroken:
		return [][2]string{{"driver", "does not answer: " + n.Reason}}
	}
	missing := "not known: "
	if n.NoLibcuda {
		missing = "not usable: "
	}
	rows := [][2]string{{"CUDA", cmp.Or(n.CUDA, missing+n.CUDAReason) + " of driver " + n.Driver}}
	for _, d := range n.Devices {
		text := d.Name
		if d.Problem != "" {
			text += ": " + d.Problem
		} else if d.Memory > 0 {
			text += fmt.Sprintf(", %d MiB, %d MiB used", d.Memory>>20, d.Used>>20)
		}
		rows = append(rows, [2]string{fmt.Sprintf("GPU %d", d.Index), text})
		for _, s := range d.Slices {
			rows = append(rows, [2]string{"", fmt.Sprintf("MIG %s, %d MiB, %d MiB used", s.Name, s.Memory>>20, s.Used>>20)})
		}
	}
	return rows
}

// gpuText returns text such as "nvidia, driver 550.54.15; Intel Arc B580, driver xe".
func gpuText(g facts.GPU) string {
	var parts []string
	if g.Vendor == "nvidia" {
		parts = append(parts, g.Vendor+when(g.Driver != "", ", driver "+g.Driver))
	}
	times := map[string]int{}
	for _, o := range g.Others {
		times[o.String()]++
	}
	for _, text := range slices.Sorted(maps.Keys(times)) {
		parts = append(parts, when(times[text] > 1, fmt.Sprintf("%d x ", times[text]))+text)
	}
	if g.ROCm != "" {
		parts = append(parts, "ROCm "+g.ROCm)
	}
	if len(parts) == 0 {
		return cmp.Or(g.Vendor, "none")
	}
	return strings.Join(parts, "; ")
}

// originText returns the origin of a package for people.
func originText(origin string) string {
	switch origin {
	case "source":
		return "built from source"
	case "vcs":
		return "from git"
	}
	return origin
}

// A listing selects the packages of an environment to print.
type listing struct {
	all     bool
	changed []resources.PackageChange
}

func (p *page) environment(e runrecord.Environment, l listing) {
	p.heading("Environment " + Escape(e.Name))
	switch {
	case e.Foreign != "":
		p.line(2, "%s is %s", e.Path, e.Foreign)
	case e.Generation == "":
		p.line(2, "%s is not built yet", e.Path)
	default:
		p.built(e, l)
	}
	p.blank()
}

// built prints an environment that has an active generation.
func (p *page) built(e runrecord.Environment, l listing) {
	python := e.Python
	if e.Base != "" {
		python += " (" + e.Base + ")"
	}
	rows := [][2]string{
		{"path", e.Path}, {"generation", e.Generation}, {"python", python}, {"activate", e.Enter["sh"]}, {"or", e.Enter["run"]},
	}
	if command, ok := e.Enter["conda"]; ok {
		rows = append(rows, [2]string{"or", command + " (with conda)"})
	}
	rows = append(rows, [2]string{"packages", packagesText(e, l)})
	if len(e.Damage) > 0 {
		rows = append(rows, [2]string{"damaged", fmt.Sprintf("in %s; `reconcile heal%s` builds an intact one", plural.Count(len(e.Damage), "place"), e.Flags())})
	}
	p.table(2, rows)
	if !l.all {
		for _, c := range l.changed {
			p.packageChange(4, viewPackage(c))
		}
		return
	}
	names := make([]string, len(e.Packages))
	for i, pkg := range e.Packages {
		names[i] = pkg.Name + " " + pkg.Version
		if pkg.Origin != "" {
			names[i] += " (" + originText(pkg.Origin) + ")"
		}
	}
	p.list(4, names)
	if len(e.Conda) == 0 {
		return
	}
	p.line(2, "conda       %d", len(e.Conda)) // aligned with the rows above
	names = names[:0]
	for _, pkg := range e.Conda {
		names = append(names, pkg.Name+" "+pkg.Version+" "+pkg.Build)
	}
	p.list(4, names)
}

// packagesText counts packages, and refers to `reconcile status` if they are not listed.
func packagesText(e runrecord.Environment, l listing) string {
	text := fmt.Sprint(len(e.Packages))
	if l.all {
		return text
	}
	if len(e.Conda) > 0 {
		text += " and " + plural.Count(len(e.Conda), "conda package")
	}
	if len(l.changed) > 0 {
		text += fmt.Sprintf(", %d changed", len(l.changed))
	}
	return text + "; `reconcile status" + e.Flags() + "` lists them"
}
