package report

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// machine prints what a machine has.
func (p *page) machine(m Machine) {
	has := runrecord.InstalledOn(m.Facts)
	for _, e := range has.Environments {
		p.environment(e, listing{all: true})
	}
	rows := installedRows(has)
	if len(rows) == 0 {
		return
	}
	p.heading("Machine")
	p.table(2, rows)
	p.blank()
}

// rows name what a machine has beside its environments.
func installedRows(has runrecord.Installed) [][2]string {
	var rows [][2]string
	if has.GPU != nil {
		rows = append(rows, [2]string{"GPU", gpuText(*has.GPU)})
	}
	if has.Nvidia != nil {
		rows = append(rows, nvidiaRows(*has.Nvidia)...)
	}
	for _, d := range has.Disks {
		rows = append(rows, [2]string{"disk " + d.Path, fmt.Sprintf("%s free of %s", bytesize.Format(d.Free), bytesize.Format(d.Total))})
	}
	for _, u := range has.Unknown {
		rows = append(rows, [2]string{u.Key.String(), "not known: " + u.Reason})
	}
	return rows
}

// nvidiaRows tell what the driver says of itself and of each GPU, with memory as the
// driver counts it.
func nvidiaRows(n facts.Nvidia) [][2]string {
	switch n.State {
	case facts.NoDriver:
		return nil
	case facts.DriverBroken:
		return [][2]string{{"driver", "does not answer: " + n.Reason}}
	}
	lacks := "not known: "
	if n.NoLibcuda {
		lacks = "not usable: "
	}
	rows := [][2]string{{"CUDA", cmp.Or(n.CUDA, lacks+n.CUDAReason) + " of driver " + n.Driver}}
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

func gpuText(g facts.GPU) string {
	if g.Vendor == "none" || g.Vendor == "" {
		return "none"
	}
	if g.Driver == "" {
		return g.Vendor
	}
	return g.Vendor + ", driver " + g.Driver
}

// listing says which packages of an environment are named.
type listing struct {
	all     bool
	changed []resources.PackageChange
}

// environment prints one environment: where, which Python, how to enter, and of
// what is installed as much as is asked for.
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

func (p *page) built(e runrecord.Environment, l listing) {
	rows := [][2]string{{"path", e.Path}, {"generation", e.Generation}}
	python := e.Python
	if e.Base != "" {
		python += " (" + e.Base + ")"
	}
	rows = append(
		rows,
		[2]string{"python", python},
		[2]string{"enter", e.Enter["sh"]},
		[2]string{"or", e.Enter["run"]},
	)
	if words, ok := e.Enter["conda"]; ok {
		rows = append(rows, [2]string{"or", words + " (where there is conda)"})
	}
	rows = append(rows, [2]string{"packages", packagesText(e, l)})
	if len(e.Damage) > 0 {
		rows = append(rows, [2]string{"damaged", fmt.Sprintf("in %s; `reconcile heal` builds a sound one", plural.Count(len(e.Damage), "place"))})
	}
	p.table(2, rows)
	if !l.all {
		for _, c := range l.changed {
			p.packageChange(4, c)
		}
		return
	}
	names := make([]string, len(e.Packages))
	for i, pkg := range e.Packages {
		names[i] = pkg.Name + " " + pkg.Version
		if pkg.Origin != "" {
			names[i] += " (" + pkg.Origin + ")"
		}
	}
	p.columns(4, names)
	if len(e.Conda) == 0 {
		return
	}
	p.line(2, "of conda    %d", len(e.Conda)) // in the column of the rows above
	names = names[:0]
	for _, pkg := range e.Conda {
		names = append(names, pkg.Name+" "+pkg.Version+" "+pkg.Build)
	}
	p.columns(4, names)
}

// packagesText is how many packages there are, what changed among them, and where
// the list is if it does not follow.
func packagesText(e runrecord.Environment, l listing) string {
	n := fmt.Sprint(len(e.Packages))
	if len(e.Conda) > 0 && !l.all {
		n += fmt.Sprintf(" and %d of conda", len(e.Conda))
	}
	switch {
	case l.all:
		return n
	case len(l.changed) > 0:
		return fmt.Sprintf("%s, %d changed; `reconcile status` lists them", n, len(l.changed))
	default:
		return n + "; `reconcile status` lists them"
	}
}

// columns prints short texts beside each other where there is room, in the order
// of a book's index: down, then right. Without a width each has its line.
func (p *page) columns(indent int, texts []string) {
	wide := 0
	for i := range texts {
		texts[i] = Escape(texts[i])
		wide = max(wide, columns(texts[i])+2)
	}
	across := 1
	if p.o.Width > indent && wide > 0 {
		across = max(1, (p.o.Width-indent)/wide)
	}
	down := (len(texts) + across - 1) / across
	for row := range down {
		line := ""
		for i := row; i < len(texts); i += down {
			line += texts[i] + spaces(wide-columns(texts[i]))
		}
		p.raw(spaces(indent) + strings.TrimRight(line, " ") + "\n")
	}
}
