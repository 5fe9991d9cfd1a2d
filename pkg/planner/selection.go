package planner

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/nearest"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// A Selection is the part of a manifest to plan. The zero value is all of it.
//
// Patterns are addresses in which * matches any characters and ? matches one:
// "directory.*", "file.scripts/*". Checks are part of every plan, because they apply to
// the machine as a whole.
type Selection struct {
	// Target selects the matches with their dependencies; empty selects everything.
	Target []string
	// Exclude excludes the matches with their dependents.
	Exclude []string
	// Replace recreates the matches, even if they agree.
	Replace []string
	// Skip excludes single resources, with their dependents. The text is the reason, such
	// as "skipped". The resources need not exist.
	Skip map[resources.Addr]string
}

// IsZero reports whether everything is selected and nothing is recreated.
func (s Selection) IsZero() bool { return !s.narrows() && len(s.Replace) == 0 }

// narrows reports whether the selection can exclude anything.
func (s Selection) narrows() bool { return len(s.Target)+len(s.Exclude)+len(s.Skip) > 0 }

// Flags returns the flags that narrow the plan: "--target and --exclude", "" for none.
func (s Selection) Flags() string {
	var flags []string
	if len(s.Target) > 0 {
		flags = append(flags, "--target")
	}
	if len(s.Exclude) > 0 {
		flags = append(flags, "--exclude")
	}
	return strings.Join(flags, " and ")
}

// selected is a selection applied to the resources and orphans of a plan. Orphans are
// numbered after the resources.
type selected struct {
	why      []string // why each is excluded; "" for those that are selected
	recreate []bool
}

func (s *selected) excludes(i int) bool  { return s != nil && s.why[i] != "" }
func (s *selected) recreates(i int) bool { return s != nil && s.recreate[i] }

// resolveSelection applies the selection:
//
//  1. Without a target everything is selected, else the matches and their dependencies.
//  2. Resources that --exclude matches or Skip names are excluded, with their dependents.
//  3. Checks stay.
func (p *planning) resolveSelection() (*selected, error) {
	s, n, order := p.prior.Selection, len(p.list)+len(p.orphans), p.fullOrder()
	sel := &selected{why: make([]string, n), recreate: make([]bool, n)}
	m := matcher{input: p.input, n: n}
	target, exclude, replace := m.match("--target", s.Target), m.match("--exclude", s.Exclude), m.match("--replace", s.Replace)
	m.rejectExcludedChecks(s.Exclude)
	if len(s.Target) > 0 {
		wanted := make([]bool, n)
		for _, i := range slices.Backward(order) {
			if wanted[i] = wanted[i] || target[i] != ""; wanted[i] {
				for _, from := range p.dependencies(int(i)) {
					wanted[from] = true
				}
			}
		}
		for i := range wanted {
			if !wanted[i] {
				sel.why[i] = "not selected by --target"
			}
		}
	}
	for _, i := range order {
		switch skip, ok := s.Skip[p.at(int(i)).Addr]; {
		case p.isCheck(int(i)):
			sel.why[i] = ""
		case sel.why[i] != "":
		case exclude[i] != "":
			sel.why[i] = "matches --exclude " + exclude[i]
		case ok:
			sel.why[i] = skip
		default:
			for _, from := range p.dependencies(int(i)) {
				if sel.why[from] != "" && !p.isCheck(int(from)) {
					sel.why[i] = fmt.Sprintf(dependsOn+"%s, which is excluded", p.at(int(from)).Addr)
					break
				}
			}
		}
	}
	for i := range n {
		if replace[i] != "" {
			sel.recreate[i] = true
			m.checkReplace(i, sel.why[i])
		}
	}
	return sel, m.problems.Err()
}

func (in *input) isCheck(i int) bool {
	_, check := in.at(i).Spec.(resources.Requirement)
	return check
}

// A matcher resolves patterns and collects their problems.
type matcher struct {
	*input
	n        int // resources and orphans
	problems diag.List
}

// match returns the first pattern that matches each resource, "" for none. A pattern
// that matches nothing is a problem.
func (m *matcher) match(flag string, patterns []string) []string {
	by := make([]string, m.n)
	for _, pattern := range patterns {
		found := false
		for i := range m.n {
			if Match(pattern, m.at(i).Addr.String()) {
				by[i], found = cmp.Or(by[i], pattern), true
			}
		}
		if !found {
			m.problems.Add(m.noMatch(flag, pattern))
		}
	}
	return by
}

// noMatch reports a pattern that matches nothing, with the nearest address.
func (m *matcher) noMatch(flag, pattern string) *diag.Problem {
	var words []string
	suffix := "" // the only address that ends in the pattern: "file.scripts/paths.py" for "paths.py"
	suffixes := 0
	for i := range m.n {
		a := m.at(i).Addr
		text := a.String()
		words = append(words, text)
		if strings.HasSuffix(pattern, ".*") && !slices.Contains(words, a.Kind+".*") {
			words = append(words, a.Kind+".*")
		}
		if strings.HasSuffix(text, "."+pattern) || strings.HasSuffix(text, "/"+pattern) {
			suffix = text
			suffixes++
		}
	}
	if suffixes > 1 {
		suffix = ""
	}
	p := &diag.Problem{
		Code: "select.nothing", Summary: fmt.Sprintf("%s %q matches no resource of this machine", flag, pattern),
		Hint: "`reconcile status` lists all addresses; * matches any characters",
	}
	slices.Sort(words)
	if near := cmp.Or(nearest.Word(pattern, words), suffix); near != "" {
		p.Hint = "did you mean " + near + "?"
	}
	return p
}

// rejectExcludedChecks reports patterns that match checks and nothing else.
func (m *matcher) rejectExcludedChecks(patterns []string) {
	for _, pattern := range patterns {
		var check *resources.Resource
		others := false
		for i := range m.n {
			switch r := m.at(i); {
			case !Match(pattern, r.Addr.String()):
			case m.isCheck(i):
				check = r
			default:
				others = true
			}
		}
		if check != nil && !others {
			m.problems.Add(&diag.Problem{
				Code: "select.check", Pos: check.Pos, Addr: check.Addr.String(), Summary: fmt.Sprintf("%s is a check, and checks cannot be excluded", check.Addr),
				Hint: "give it `severity: warn` in the manifest if it must not stop an apply",
			})
		}
	}
}

// checkReplace reports a resource that cannot be recreated. excluded is why it is not
// selected, "" if it is.
func (m *matcher) checkReplace(i int, excluded string) {
	r := m.at(i)
	p := &diag.Problem{Code: "select.replace", Pos: r.Pos, Addr: r.Addr.String()}
	_, recreates := r.Spec.(resources.Recreator)
	switch {
	case i >= len(m.list):
		p.Summary = "it is no longer in the manifest, so it cannot be replaced"
	case excluded != "":
		p.Summary, p.Hint = "--replace names it, but it is excluded: "+excluded, "select it too, or remove it from --replace"
	case r.Protect:
		p.Summary, p.Hint = "it is protected, so it is not replaced", "remove `protect: true` first"
	case r.Spec.Owns().Kind == facts.KindPath && r.Addr.Kind == "directory":
		p.Summary, p.Hint = "a directory is never replaced, because its content is yours", "move its content away yourself, and apply"
	case !recreates:
		p.Summary = fmt.Sprintf("a %s cannot be replaced", r.Addr.Kind)
		p.Hint = "--replace takes files and environments"
	default:
		return
	}
	m.problems.Add(p)
}

// Match reports whether a pattern matches an address: it is equal to it, or matches it
// with * for any characters, including none and /, and ? for one.
func Match(pattern, address string) bool {
	if pattern == address {
		return true
	}
	p, a := []rune(pattern), []rune(address)
	i, j, star, from := 0, 0, -1, 0
	for j < len(a) {
		switch {
		case i < len(p) && p[i] == '*':
			star, from = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == a[j]):
			i++
			j++
		case star >= 0: // let the last * match one more
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
