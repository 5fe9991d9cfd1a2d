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

// A Selection is the part of a manifest that is planned. The zero value is all of it.
//
// Patterns are addresses, in which * stands for any characters and ? for one:
// "directory.*", "file.scripts/*". Requirements are always part of a plan: what they
// check holds for the machine, whatever is changed on it.
type Selection struct {
	// Target selects what matches, with all that it waits for; empty for everything.
	Target []string
	// Exclude leaves out what matches, with all that waits for it.
	Exclude []string
	// Replace makes anew what matches, though it may agree.
	Replace []string
	// Leave leaves out single resources, with all that waits for them. The text says
	// why, such as "skipped". What it names need not exist.
	Skip map[resources.Addr]string
}

// IsZero reports whether everything is selected, and nothing made anew.
func (s Selection) IsZero() bool {
	return len(s.Target)+len(s.Exclude)+len(s.Replace)+len(s.Skip) == 0
}

// narrows reports whether anything can be left out.
func (s Selection) narrows() bool { return len(s.Target)+len(s.Exclude)+len(s.Skip) > 0 }

// By names the flags that narrow a plan: "--target and --exclude", "" for none.
func (s Selection) Flags() string {
	var by []string
	if len(s.Target) > 0 {
		by = append(by, "--target")
	}
	if len(s.Exclude) > 0 {
		by = append(by, "--exclude")
	}
	return strings.Join(by, " and ")
}

// A Remainder is what a plan leaves out of what the manifest asks for, so that nobody
// takes the rest for the whole.
type Excluded struct {
	Flags string `json:"by"`    // the flags that say so: "--target"; "" for answers to conflicts alone
	Total int    `json:"total"` // resources, and things that left the manifest
	// Differ is how many of them do not agree with the manifest.
	Differ int `json:"differ"`
	// Conflicts is how many were left out by Selection.Leave.
	Conflicts int `json:"conflicts,omitempty"`
	// Named are those that differ, and those that only wait for one that is left out.
	Resources []ExcludedResource `json:"named,omitempty"`
}

// A LeftOut is one resource that a plan leaves out.
type ExcludedResource struct {
	Addr   resources.Addr   `json:"addr"`
	Action resources.Action `json:"action,omitempty"` // what would be done with it
	Why    string           `json:"why"`              // "matches --exclude file.*", "waits for file.a, which is left out"
}

// A chosen says which of the resources and orphans of a plan are selected. Orphans are
// numbered after the resources.
type chosen struct {
	why   []string // of each that is left out; "" for those that are selected
	renew []bool   // made anew
}

func (c *chosen) left(i int) bool   { return c != nil && c.why[i] != "" }
func (c *chosen) renews(i int) bool { return c != nil && c.renew[i] }

// choose applies a selection to resources and orphans. after says whom each waits for,
// and order is one in which they can be done.
//
//  1. Without a target everything is wanted, else what matches and all that it waits for.
//  2. What is excluded goes, and all that waits for it.
//  3. Requirements stay.
func (s Selection) choose(pre *prepared, after func(int) []int32, order []int32) (*chosen, error) {
	n := len(pre.list) + len(pre.orphans)
	c := &chosen{why: make([]string, n), renew: make([]bool, n)}
	m := matcher{pre: pre, n: n}
	target, exclude, replace := m.all("--target", s.Target), m.all("--exclude", s.Exclude), m.all("--replace", s.Replace)
	m.checksStay(s.Exclude, exclude)
	if len(s.Target) > 0 {
		wanted := make([]bool, n)
		for _, i := range slices.Backward(order) {
			if wanted[i] = wanted[i] || target[i] != ""; wanted[i] {
				for _, from := range after(int(i)) {
					wanted[from] = true
				}
			}
		}
		for i := range wanted {
			if !wanted[i] {
				c.why[i] = "not selected by --target"
			}
		}
	}
	for _, i := range order {
		a := pre.at(int(i)).Addr
		switch left, ok := s.Skip[a]; {
		case c.why[i] != "":
		case exclude[i] != "":
			c.why[i] = "matches --exclude " + exclude[i]
		case ok:
			c.why[i] = left
		default:
			for _, from := range after(int(i)) {
				if c.why[from] != "" && !pre.isCheck(int(from)) {
					c.why[i] = fmt.Sprintf("waits for %s, which is left out", pre.at(int(from)).Addr)
					break
				}
			}
		}
		if pre.isCheck(int(i)) {
			c.why[i] = ""
		}
	}
	for i := range n {
		if replace[i] != "" {
			c.renew[i] = true
			m.renewable(i, c.why[i])
		}
	}
	return c, m.problems.Err()
}

// at returns a resource, or the orphan that is numbered after them.
func (pre *prepared) at(i int) *resources.Resource {
	if i < len(pre.list) {
		return &pre.list[i]
	}
	return &pre.orphans[i-len(pre.list)].resource
}

func (pre *prepared) isCheck(i int) bool {
	_, check := pre.at(i).Spec.(resources.Requirement)
	return check
}

// A matcher finds what patterns name, and collects what is wrong with them.
type matcher struct {
	pre      *prepared
	n        int
	problems diag.List
}

// all returns the first pattern that matches each resource, "" for none. One that
// matches nothing is a problem.
func (m *matcher) all(flag string, patterns []string) []string {
	by := make([]string, m.n)
	for _, pattern := range patterns {
		found := false
		for i := range m.n {
			if Match(pattern, m.pre.at(i).Addr.String()) {
				by[i], found = cmp.Or(by[i], pattern), true
			}
		}
		if !found {
			m.problems.Add(m.nothing(flag, pattern))
		}
	}
	return by
}

// nothing says that a pattern names nothing, and what may be meant.
func (m *matcher) nothing(flag, pattern string) *diag.Problem {
	var words []string
	for i := range m.n {
		a := m.pre.at(i).Addr
		words = append(words, a.String())
		if strings.HasSuffix(pattern, ".*") && !slices.Contains(words, a.Kind+".*") {
			words = append(words, a.Kind+".*")
		}
	}
	p := &diag.Problem{
		Code: "select.nothing", Summary: fmt.Sprintf("%s %q matches nothing that the manifest asks for on this machine", flag, pattern),
		Hint: "`reconcile status` lists all addresses; * stands for any characters",
	}
	slices.Sort(words)
	if near := nearest.Word(pattern, words); near != "" {
		p.Hint = "did you mean " + near + "?"
	} else if near := ending(pattern, words); near != "" {
		p.Hint = "did you mean " + near + "?"
	}
	return p
}

// ending returns the one address that has a word for its name, or the last part of it:
// "paths.py" for "file.scripts/paths.py".
func ending(word string, addresses []string) string {
	found := ""
	for _, a := range addresses {
		if strings.HasSuffix(a, "."+word) || strings.HasSuffix(a, "/"+word) {
			if found != "" {
				return ""
			}
			found = a
		}
	}
	return found
}

// checksStay complains of an exclusion that names requirements and nothing else.
func (m *matcher) checksStay(patterns, by []string) {
	for _, pattern := range patterns {
		var check resources.Addr
		others := false
		for i := range m.n {
			switch {
			case !Match(pattern, m.pre.at(i).Addr.String()):
			case m.pre.isCheck(i):
				check = m.pre.at(i).Addr
			default:
				others = true
			}
		}
		if check.Kind != "" && !others {
			m.problems.Add(&diag.Problem{
				Code: "select.check", Pos: m.pos(check), Addr: check.String(), Summary: fmt.Sprintf("%s is a check, and checks cannot be left out", check),
				Hint: "give it `severity: warn` in the manifest if it is not to stop an apply",
			})
		}
	}
}

func (m *matcher) pos(a resources.Addr) diag.Pos {
	for i := range m.n {
		if m.pre.at(i).Addr == a {
			return m.pre.at(i).Pos
		}
	}
	return diag.Pos{}
}

// renewable complains of a resource that cannot be made anew.
func (m *matcher) renewable(i int, left string) {
	r := m.pre.at(i)
	p := &diag.Problem{Code: "select.replace", Pos: r.Pos, Addr: r.Addr.String()}
	_, renews := r.Spec.(resources.Recreator)
	switch {
	case i >= len(m.pre.list):
		p.Summary = "it left the manifest, so it cannot be made anew"
	case left != "":
		p.Summary, p.Hint = "it is to be made anew, and is left out: "+left, "select it too, or take --replace away"
	case r.Protect:
		p.Summary, p.Hint = "it is protected, so it is not replaced", "take `protect: true` away first"
	case r.Spec.Owns().Kind == facts.KindPath && r.Addr.Kind == "directory":
		p.Summary, p.Hint = "a directory is not made anew: its content is yours", "move away yourself what is in it, and apply"
	case !renews:
		p.Summary = fmt.Sprintf("a %s is not made anew", r.Addr.Kind)
		p.Hint = "--replace takes files and environments"
	default:
		return
	}
	m.problems.Add(p)
}

// Match reports whether a pattern names an address: it is the address to the letter, or
// matches it with * for any characters, none and / among them, and ? for one.
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
		case star >= 0: // the last * takes one more
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
