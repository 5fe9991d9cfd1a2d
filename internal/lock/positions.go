package lock

import (
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// condaTable is the name of the tables of conda packages.
const condaTable = "tool.reconcile.conda.packages"

// buildTable is the name of the tables of builds.
const buildTable = "tool.reconcile.builds"

// positions are the positions of keys, such as "tool.reconcile.format", of packages, such
// as "packages[3]" and "tool.reconcile.conda.packages[3]", and of wheels, such as
// "packages[3].wheels[0]".
type positions map[string]diag.Pos

// locate returns the positions of a valid document.
func locate(data []byte, file string) positions {
	found := positions{}
	var p unstable.Parser
	p.Reset(data)
	table, tables := "", map[string]int{}
	for p.NextExpression() {
		e := p.Expression()
		var path []string
		for it := e.Key(); it.Next(); {
			path = append(path, string(it.Node().Data))
		}
		name := strings.Join(path, ".")
		if e.Kind == unstable.Table {
			table = name
		}
		if e.Kind == unstable.ArrayTable {
			table = fmt.Sprintf("%s[%d]", name, tables[name])
			tables[name]++
			found[table] = position(&p, e, file)
		}
		if e.Kind != unstable.KeyValue {
			continue
		}
		switch key := strings.TrimPrefix(table+"."+name, "."); {
		case strings.HasSuffix(table, "]") && name == "name":
			found[table] = position(&p, e, file)
		case strings.HasSuffix(table, "]") && name == "wheels" && e.Value().Kind == unstable.Array:
			n := 0
			for it := e.Value().Children(); it.Next(); n++ {
				found[fmt.Sprintf("%s[%d]", key, n)] = position(&p, it.Node(), file)
			}
		default:
			found[key] = position(&p, e, file)
		}
	}
	return found
}

// condaPkg returns the position of a conda package, or that of the channels before them.
func (p positions) condaPkg(i int) diag.Pos {
	if pos, ok := p[fmt.Sprintf("%s[%d]", condaTable, i)]; ok {
		return pos
	}
	return p["tool.reconcile.conda.channels"]
}

// position returns the position of the first part of a node that has bytes in the document.
func position(p *unstable.Parser, n *unstable.Node, file string) diag.Pos {
	at := func(r unstable.Range) diag.Pos {
		start := p.Shape(r).Start
		return diag.Pos{File: file, Line: start.Line, Col: start.Column}
	}
	if n.Kind == unstable.KeyValue || n.Kind == unstable.Table || n.Kind == unstable.ArrayTable {
		for it := n.Key(); it.Next(); {
			return at(it.Node().Raw)
		}
	}
	if n.Raw.Length > 0 {
		return at(n.Raw)
	}
	for it := n.Children(); it.Next(); {
		if pos := position(p, it.Node(), file); pos.IsValid() {
			return pos
		}
	}
	return diag.Pos{File: file}
}
