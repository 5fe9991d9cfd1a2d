package manifest

import (
	"fmt"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// rules are the rules for templates beyond the syntax of text/template. They bound the
// time of rendering, and ensure that a value cannot be read as code:
//
//   - Every printed value goes through an escape for the language of the file, last in
//     its pipeline: {{py .project}} or {{.project | py}}.
//   - Only escapes, comparisons, len and index are called.
//   - No other template is defined or called.
//   - All loops together take at most maxTurns iterations.
type rules struct {
	*source
	suffix  string // of the file, ".py"
	longest int    // iterations of one loop
	turns   int
	escapes template.FuncMap
}

// pure are the functions of text/template that neither print nor build texts.
var pure = []string{"and", "or", "not", "len", "index", "eq", "ne", "lt", "le", "gt", "ge"}

// escapesFor returns the escapes for a file by its suffix. A file with another suffix
// takes all.
func escapesFor(suffix string) []string {
	switch suffix {
	case ".py":
		return []string{"py", "name", "comment"}
	case ".json":
		return []string{"json"}
	case ".yaml", ".yml":
		return []string{"yaml", "json", "comment"}
	case ".toml":
		return []string{"toml", "comment"}
	case ".sh", ".bash":
		return []string{"sh", "name", "comment"}
	}
	return escapeNames
}

// check reports violations of the rules, and returns whether there are none.
func (r *rules) check(t *template.Template) bool {
	for _, other := range t.Templates() {
		if other.Name() != t.Name() {
			r.broken(t.Root, "a template cannot define another", "write its text where it is used")
			return false
		}
	}
	if t.Tree == nil || t.Root == nil {
		return true // only comments and spaces
	}
	r.list(t.Root, 1)
	if r.turns > maxTurns {
		r.broken(t.Root, "loops take too many iterations", "do not nest range")
	}
	return r.source.list.Len() == 0
}

func (r *rules) broken(n parse.Node, summary, hint string) {
	r.problemAt(r.position(min(int(n.Position()), len(r.data))), "template", summary, "", hint)
}

// list checks nodes that are executed turns times.
func (r *rules) list(l *parse.ListNode, turns int) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			r.pipe(n.Pipe)
			if len(n.Pipe.Decl) == 0 {
				r.printed(n)
			}
		case *parse.IfNode:
			r.branch(&n.BranchNode, turns, turns)
		case *parse.WithNode:
			r.branch(&n.BranchNode, turns, turns)
		case *parse.RangeNode:
			r.loop(n, turns)
		case *parse.TemplateNode:
			r.broken(n, "a template cannot call another", "write its text where it is used")
		}
	}
}

func (r *rules) branch(n *parse.BranchNode, turns, inside int) {
	r.pipe(n.Pipe)
	r.list(n.List, inside)
	r.list(n.ElseList, turns)
}

// loop counts the iterations of a range. It must range over a list of the manifest: range
// over a number could run forever.
func (r *rules) loop(n *parse.RangeNode, turns int) {
	if len(n.Pipe.Cmds) != 1 || len(n.Pipe.Cmds[0].Args) != 1 || !isList(n.Pipe.Cmds[0].Args[0]) {
		r.broken(n.Pipe, "range needs a list of the manifest", "write {{range .directories}}, {{range .environments}} or {{range .values.NAME}}")
		return
	}
	inside := min(turns, maxTurns+1) * r.longest
	r.turns += inside
	r.branch(&n.BranchNode, turns, inside)
}

// isList reports whether an argument is a list of the inputs.
func isList(n parse.Node) bool {
	var names []string
	switch n := n.(type) {
	case *parse.FieldNode:
		names = n.Ident
	case *parse.VariableNode:
		if len(n.Ident) < 2 || n.Ident[0] != "$" {
			return false
		}
		names = n.Ident[1:]
	default:
		return false
	}
	if names[0] == "values" {
		return len(names) == 2
	}
	return len(names) == 1 && slices.Contains([]string{"directories", "environments", "paths"}, names[0])
}

// pipe checks that only allowed functions are called.
func (r *rules) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for _, cmd := range p.Cmds {
		for _, arg := range cmd.Args {
			switch arg := arg.(type) {
			case *parse.PipeNode:
				r.pipe(arg)
			case *parse.IdentifierNode:
				if !slices.Contains(pure, arg.Ident) && r.escapes[arg.Ident] == nil {
					r.broken(arg, "there is no function "+quote(arg.Ident), "use "+strings.Join(escapeNames, ", "))
				}
			}
		}
	}
}

// printed checks that an action prints through an escape for the file.
func (r *rules) printed(n *parse.ActionNode) {
	fit := escapesFor(r.suffix)
	last, ok := n.Pipe.Cmds[len(n.Pipe.Cmds)-1].Args[0].(*parse.IdentifierNode)
	switch {
	case ok && slices.Contains(fit, last.Ident):
	case ok && r.escapes[last.Ident] != nil:
		r.broken(n, fmt.Sprintf("%s does not escape for a %s file", last.Ident, r.suffix), "use "+strings.Join(fit, ", "))
	default:
		r.broken(n, "a value is printed without an escape", fmt.Sprintf("write {{%s VALUE}}, with one of %s", fit[0], strings.Join(fit, ", ")))
	}
}
