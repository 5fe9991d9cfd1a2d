package lock

import (
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// positions says where the packages of a lock and their wheels stand, in order.
type positions struct {
	packages []diag.Pos
	wheels   [][]diag.Pos
	conda    []diag.Pos          // packages of conda
	keys     map[string]diag.Pos // top-level keys, and those of tables as "tool.reconcile.format"
}

// condaTable is the name of the tables that hold packages of conda.
const condaTable = "tool.reconcile.conda.packages"

// locate walks a document that is known to parse.
func locate(data []byte, file string) positions {
	found := positions{keys: map[string]diag.Pos{}}
	var p unstable.Parser
	p.Reset(data)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = dotted(e)
			switch table {
			case "packages":
				found.packages = append(found.packages, first(&p, e, file))
				found.wheels = append(found.wheels, nil)
			case condaTable:
				found.conda = append(found.conda, first(&p, e, file))
			}
		case unstable.KeyValue:
			key := dotted(e)
			if table == "packages" && len(found.packages) > 0 {
				found.keyOfPackage(&p, key, e, file)
				continue
			}
			if table == condaTable && key == "name" {
				found.conda[len(found.conda)-1] = first(&p, e, file)
			}
			if table != "" {
				key = table + "." + key
			}
			found.keys[key] = first(&p, e, file)
		}
	}
	return found
}

// keyOfPackage notes the name of the last package, or its wheels.
func (f *positions) keyOfPackage(p *unstable.Parser, key string, e *unstable.Node, file string) {
	last := len(f.packages) - 1
	switch key {
	case "name":
		f.packages[last] = first(p, e, file)
	case "wheels":
		if e.Value().Kind != unstable.Array {
			return
		}
		for it := e.Value().Children(); it.Next(); {
			f.wheels[last] = append(f.wheels[last], first(p, it.Node(), file))
		}
	}
}

// wheel returns the place of a wheel, or of its package where none is known.
func (f positions) wheel(pkg, wheel int) diag.Pos {
	if pkg < len(f.wheels) && wheel < len(f.wheels[pkg]) && f.wheels[pkg][wheel].IsValid() {
		return f.wheels[pkg][wheel]
	}
	return f.pkg(pkg)
}

// pkg returns the place of a package.
func (f positions) pkg(i int) diag.Pos {
	if i < len(f.packages) {
		return f.packages[i]
	}
	return diag.Pos{}
}

// condaPkg returns the place of a package of conda. Without one it is that of the
// channels, which stand before them.
func (f positions) condaPkg(i int) diag.Pos {
	if i < len(f.conda) {
		return f.conda[i]
	}
	return f.keys["tool.reconcile.conda.channels"]
}

// dotted returns the key of a table or a value.
func dotted(e *unstable.Node) string {
	key := ""
	for it := e.Key(); it.Next(); {
		if key != "" {
			key += "."
		}
		key += string(it.Node().Data)
	}
	return key
}

// first returns the place of the first leaf of a node that has bytes in the
// document.
func first(p *unstable.Parser, n *unstable.Node, file string) diag.Pos {
	if n.Kind == unstable.KeyValue || n.Kind == unstable.Table || n.Kind == unstable.ArrayTable {
		for it := n.Key(); it.Next(); {
			return place(p, it.Node().Raw, file)
		}
	}
	if n.Raw.Length > 0 {
		return place(p, n.Raw, file)
	}
	for it := n.Children(); it.Next(); {
		if pos := first(p, it.Node(), file); pos.IsValid() {
			return pos
		}
	}
	return diag.Pos{File: file}
}

func place(p *unstable.Parser, r unstable.Range, file string) diag.Pos {
	start := p.Shape(r).Start
	return diag.Pos{File: file, Line: start.Line, Col: start.Column}
}
