package planfile

import (
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// programs takes down the programs that the steps of an item run, and those among the
// facts that the steps hand to them: the interpreter that uv makes an environment of.
func (d *Document) programs(it *planner.Item, f *facts.Facts, identify func(string) (facts.SHA256, bool)) {
	versions := versions(it.Resource.Spec.Reads(), f)
	for _, s := range it.Change.Steps {
		run, ok := s.(resources.Run)
		if !ok {
			continue
		}
		d.program(run.Program, run.SHA256, versions, identify)
		for _, word := range run.Args {
			at := word[strings.IndexByte(word, '=')+1:]
			if _, known := versions[at]; known {
				d.program(at, facts.SHA256{}, versions, identify)
			}
		}
	}
}

// program takes down one program. One that a step pins is what the step says: it is
// compared just before it starts.
func (d *Document) program(path string, pinned facts.SHA256, versions map[string]string, identify func(string) (facts.SHA256, bool)) {
	t := Tool{SHA256: pinned, Version: versions[path]}
	if was, known := d.Tools[path]; known && (t.SHA256.IsZero() || !was.SHA256.IsZero()) {
		return
	}
	if pinned.IsZero() && identify != nil {
		if sum, there := identify(path); there {
			t.SHA256 = sum
		} else {
			t.Absent = true
		}
	}
	d.Tools[path] = t
}

// versions returns the programs that facts tell of, by path, with their versions.
func versions(keys []facts.Key, f *facts.Facts) map[string]string {
	list := map[string]string{}
	for _, k := range keys {
		fact, _, _ := f.Lookup(k)
		switch fact := fact.(type) {
		case facts.Tool:
			if fact.Path != "" {
				list[fact.Path] = fact.Version
			}
		case facts.Pythons:
			for _, i := range fact.Found {
				list[i.Path] = i.Version
			}
		}
	}
	return list
}
