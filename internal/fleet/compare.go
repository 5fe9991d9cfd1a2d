// Package fleet compares machines of one project.
package fleet

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/compare"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/disk"
)

// ThisMachine names the machine that the program runs on.
const ThisMachine = "."

// Compare compares the machines that sources name: files of recorded facts, - for
// standard input, or ThisMachine.
func Compare(ctx context.Context, config *session.Config, sources []string) (*report.Comparison, error) {
	if _, err := session.Load(config); err != nil { // the same for every source
		return nil, err
	}
	c := &report.Comparison{Rows: []compare.Row{}}
	var list []compare.Machine
	var problems diag.List
	for _, source := range sources {
		m, err := observe(ctx, config, source)
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

// observe returns the compared properties of one machine. That no environment matches it
// is one of them, and not an error.
func observe(ctx context.Context, config *session.Config, source string) (*compare.Machine, error) {
	file := source
	if source == ThisMachine {
		file = ""
	}
	p, err := session.Open(ctx, config, file)
	if err != nil {
		return nil, err
	}
	out := &compare.Machine{Source: source}
	t, err := p.Select()
	if err != nil {
		found := diag.Problems(err)
		if len(found) != 1 || found[0].Code != "environment.none" && found[0].Code != "environment.ambiguous" {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		out.Unselected = found[0].Summary
		if t, err = p.SelectNone(); err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
	}
	list, err := t.Resources()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	if t.Env != nil {
		out.Environment, out.Python = t.Env.Name, t.Env.Python
	}
	for i := range list {
		r := &list[i]
		if own := r.Spec.Owns(); own.Kind == facts.KindPath && (r.Addr.Kind == "directory" || r.Addr.Kind == "link") {
			out.Folders = append(out.Folders, compare.Folder{Name: r.Addr.Name, Path: own.Name})
		}
		if d, ok := r.Spec.(*disk.Spec); ok {
			out.Disk = compare.Limits{Path: d.Path, WarnBelow: d.WarnBelow, FailBelow: d.FailBelow}
		}
	}
	out.Facts = t.Facts(ctx, session.Without(append(comparedKeys(list), t.AllKeys()...), t.Base))
	out.Name = t.Selection.Host.Hostname
	return out, nil
}

// comparedKeys returns the keys of directories and disks that resources manage.
func comparedKeys(list []resources.Resource) []facts.Key {
	var keys []facts.Key
	for i := range list {
		if own := list[i].Spec.Owns(); own.Kind == facts.KindPath || own.Kind == facts.KindDisk {
			keys = append(keys, own)
		}
	}
	return keys
}

// nameColumns gives machines without a unique name that of their source.
func nameColumns(list []compare.Machine) {
	count := map[string]int{}
	for i := range list {
		count[list[i].Name]++
	}
	for i := range list {
		if list[i].Name == "" || count[list[i].Name] > 1 {
			list[i].Name = strings.TrimSuffix(filepath.Base(list[i].Source), ".json")
			if list[i].Source == ThisMachine {
				list[i].Name = "this machine"
			}
		}
	}
}
