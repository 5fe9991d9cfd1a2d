package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconcile-ml/reconcile/internal/compare"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/disk"
)

var compareFormats = []string{"text", "json", "markdown"}

// thisMachine stands on the command line for the machine that the program runs on.
const thisMachine = "."

func (a *app) compareCommand() *cobra.Command {
	var format string
	var all bool
	cmd := &cobra.Command{
		Use:   "compare FILE FILE…",
		Short: "show in what machines differ, from their recorded facts",
		Long: long(`
Compares machines in what matters to the manifest: platform, GPUs, driver and CUDA, Python,
folders, the packages of their environments, and whether their disks have enough room. FILE
is what `+"`reconcile facts --all`"+` printed on a machine; a dot stands for this machine, a dash
for facts from standard input.

One column a machine; only rows that differ, or of which a machine does not say, are shown.
What is free on a disk or used of a GPU differs at any time and counts only for what it
means.`, readOnly, exitDone, exitError, exitDiffers),
		Example: "  ssh gpu1 'cd project && reconcile facts --all' > gpu1.json\n  reconcile compare . gpu1.json gpu2.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			format, err := a.format(cmd, format, compareFormats...)
			if err != nil {
				return err
			}
			if len(args) < 2 {
				return usage("compare takes two machines or more: files of `reconcile facts --all`, or . for this machine")
			}
			c, err := a.compare(cmd.Context(), args)
			if err != nil {
				return err
			}
			if err := a.printComparison(c, format, all); err != nil {
				return err
			}
			if differ, _ := compare.CountDifferences(c.Rows); differ > 0 {
				return exit(exitDiffers)
			}
			return nil
		},
	}
	formatFlag(cmd, &format, compareFormats...)
	cmd.Flags().BoolVar(&all, "all", false, "also the rows in which they are the same")
	return cmd
}

func (a *app) printComparison(c *report.Comparison, format string, all bool) error {
	o := a.report(a.out)
	o.Detail = all
	switch format {
	case "json":
		return report.CompareJSON(a.out, c)
	case "markdown":
		return report.CompareMarkdown(a.out, c, o)
	}
	return report.Compare(a.out, c, o)
}

// compare reads the machines that the command line names and puts them beside each
// other.
func (a *app) compare(ctx context.Context, sources []string) (*report.Comparison, error) {
	p, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	c := &report.Comparison{Rows: []compare.Row{}}
	var list []compare.Machine
	var problems diag.List
	for _, source := range sources {
		m, err := a.comparable(ctx, p, source)
		if err != nil {
			problems.AddErr(err)
			continue
		}
		list = append(list, *m)
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	nameColumns(list)
	for _, m := range list {
		c.Machines = append(c.Machines, report.ComparedMachine{Name: m.Name, Source: m.Source, Environment: m.Environment})
	}
	if rows := compare.Machines(list); rows != nil {
		c.Rows = rows
	}
	return c, nil
}

// comparable returns one machine as far as it is compared. That no environment is for
// it is something to compare, not an error.
func (a *app) comparable(ctx context.Context, p *project, source string) (*compare.Machine, error) {
	m := &machine{project: p, facts: &facts.Facts{}, recorded: source != thisMachine}
	if m.recorded {
		if err := a.readFacts(source, m.facts); err != nil {
			return nil, err
		}
	} else {
		m.facts.Merge(p.base)
	}
	out := &compare.Machine{Source: source, Facts: m.facts}
	if err := m.choose(a.env); err != nil {
		found := diag.Problems(err)
		if _, known := facts.Find[facts.Host](m.facts, facts.HostKey); !known || len(found) != 1 || found[0].Code != "environment.none" && found[0].Code != "environment.ambiguous" {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		out.Unselected = found[0].Summary
	}
	if err := m.compile(); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	if m.env != nil {
		out.Environment, out.Python = m.env.Name, m.env.Python
	}
	for i := range m.resources {
		r := &m.resources[i]
		if own := r.Spec.Owns(); own.Kind == facts.KindPath && (r.Addr.Kind == "directory" || r.Addr.Kind == "link") {
			out.Folders = append(out.Folders, compare.Folder{Name: r.Addr.Name, Path: own.Name})
		}
		if d, ok := r.Spec.(*disk.Spec); ok {
			out.Disk = compare.Limits{Path: d.Path, WarnBelow: d.WarnBelow, FailBelow: d.FailBelow}
		}
	}
	if !m.recorded {
		m.facts.Merge(p.probe(ctx, without(slices.Concat(comparedKeys(m.resources), p.prober.AllKeys()), m.facts)))
	}
	host, _ := facts.Find[facts.Host](m.facts, facts.HostKey)
	out.Name = host.Hostname
	return out, nil
}

// comparedKeys are the facts of folders and disks that resources name.
func comparedKeys(list []resources.Resource) []facts.Key {
	var keys []facts.Key
	for i := range list {
		if own := list[i].Spec.Owns(); own.Kind == facts.KindPath || own.Kind == facts.KindDisk {
			keys = append(keys, own)
		}
	}
	return keys
}

// nameColumns gives machines with the name of another, or none, that of their source.
func nameColumns(list []compare.Machine) {
	count := map[string]int{}
	for i := range list {
		count[list[i].Name]++
	}
	for i := range list {
		if list[i].Name == "" || count[list[i].Name] > 1 {
			list[i].Name = strings.TrimSuffix(filepath.Base(list[i].Source), ".json")
			if list[i].Source == thisMachine {
				list[i].Name = "this machine"
			}
		}
	}
}
