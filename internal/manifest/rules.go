package manifest

import (
	"fmt"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// rules are what a template must keep to beyond the syntax of text/template, so
// that it ends in time and cannot write a value into a place where it would be
// read as something else:
//
//   - Every value that it prints goes through an escape for the language of the
//     file, last in its pipeline: {{py .project}} or {{.project | py}}.
//   - It calls escapes, comparisons, len and index alone.
//   - It defines and calls no other templates.
//   - Its loops, nested ones multiplied, take no more than maxTurns turns.
type rules struct {
	*source
	suffix  string // of the file, ".py"
	longest int    // turns of one loop
	turns   int
}

// pure are the functions of text/template that neither print nor build texts.
var pure = []string{"and", "or", "not", "len", "index", "eq", "ne", "lt", "le", "gt", "ge"}

// languages are the escapes that fit a file by its suffix. A file with another
// suffix takes any.
var languages = map[string][]string{
	".py":   {"py", "name", "comment"},
	".json": {"json"},
	".yaml": {"yaml", "json", "comment"},
	".yml":  {"yaml", "json", "comment"},
	".toml": {"toml", "comment"},
	".sh":   {"sh", "name", "comment"},
	".bash": {"sh", "name", "comment"},
}

// check walks the template and reports whether it keeps to the rules.
func (r *rules) check(t *template.Template) bool {
	for _, other := range t.Templates() {
		if other.Name() != t.Name() {
			r.broken(t.Root, "a template cannot define another", "write it out where it is used")
			return false
		}
	}
	if t.Tree == nil || t.Root == nil {
		return true // only comments and blanks
	}
	r.list(t.Root, 1)
	if r.turns > maxTurns {
		r.broken(t.Root, "loops take too many turns", "do not nest range")
	}
	return r.source.list.Len() == 0
}

func (r *rules) broken(n parse.Node, summary, hint string) {
	line, col := r.place(min(int(n.Position()), len(r.data)))
	r.report(line, col, diag.Problem{Code: "manifest.template", Summary: summary, Hint: hint})
}

// list checks nodes that run turns times.
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
			r.broken(n, "a template cannot call another", "write it out where it is used")
		}
	}
}

func (r *rules) branch(n *parse.BranchNode, turns, inside int) {
	r.pipe(n.Pipe)
	r.list(n.List, inside)
	r.list(n.ElseList, turns)
}

// loop counts the turns of a range. What it ranges over must be a list that the
// manifest gives: range over a number could take for ever.
func (r *rules) loop(n *parse.RangeNode, turns int) {
	if len(n.Pipe.Cmds) != 1 || len(n.Pipe.Cmds[0].Args) != 1 || !isList(n.Pipe.Cmds[0].Args[0]) {
		r.broken(n.Pipe, "range needs a list that the manifest gives", "write {{range .directories}}, {{range .environments}} or {{range .values.NAME}}")
		return
	}
	inside := min(turns, maxTurns+1) * r.longest
	r.turns += inside
	r.branch(&n.BranchNode, turns, inside)
}

// isList reports whether a word of a template is a field of what it is given.
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

// pipe checks that only known functions are called.
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
				if !slices.Contains(pure, arg.Ident) && escapes[arg.Ident] == nil {
					r.broken(arg, "there is no function "+quote(arg.Ident), "use "+strings.Join(escapeNames, ", "))
				}
			}
		}
	}
}

// printed checks that what an action prints goes through an escape that fits the
// file.
func (r *rules) printed(n *parse.ActionNode) {
	fit, known := languages[r.suffix]
	if !known {
		fit = escapeNames
	}
	last, ok := n.Pipe.Cmds[len(n.Pipe.Cmds)-1].Args[0].(*parse.IdentifierNode)
	switch {
	case ok && slices.Contains(fit, last.Ident):
	case ok && escapes[last.Ident] != nil:
		r.broken(n, fmt.Sprintf("%s does not escape for a %s file", last.Ident, r.suffix), "use "+strings.Join(fit, ", "))
	default:
		r.broken(n, "a value is printed without an escape", fmt.Sprintf("write {{%s VALUE}}, with one of %s", fit[0], strings.Join(fit, ", ")))
	}
}
