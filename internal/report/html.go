package report

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

var (
	//go:embed style/colors.css
	colorsCSS string
	//go:embed style/page.css
	pageCSS string
	//go:embed style/page.html.tmpl
	pageTemplate string
)

// maxPageChanges is how many changes a page shows. A browser takes many more, a
// reader does not.
const maxPageChanges = 1000

// PlanHTML prints the plan of a machine as one page that needs nothing else: no
// network, no script, no other file. It can be read by keyboard and with a screen
// reader, in the dark, on a phone and on paper. The page itself forbids the browser to
// load anything.
func PlanHTML(w io.Writer, m Machine) error {
	m.Detail = true
	out := bufio.NewWriter(w)
	if err := planPage.Execute(out, newHTMLPage(m)); err != nil {
		return err
	}
	return out.Flush()
}

// planPage is parsed once; it fails only where the template itself is wrong.
var planPage = template.Must(template.New("plan").Funcs(template.FuncMap{
	"class":        healthClass,
	"actionClass":  actionClass,
	"packageClass": func(sign string) string { return map[string]string{"+": "good", "-": "bad"}[sign] },
}).Parse(pageTemplate))

// healthClass is the colour of a state.
func healthClass(s CheckState) string {
	return map[CheckState]string{OK: "good", Warn: "warn", Fail: "bad"}[s]
}

// actionClass is the colour of an action.
func actionClass(a resources.Action) string {
	switch a {
	case resources.Create:
		return "good"
	case resources.Update, resources.Replace:
		return "warn"
	case resources.Delete, resources.Blocked:
		return "bad"
	}
	return "note"
}

// htmlPage is what the template shows. Plain strings in it are escaped by the
// template; Style, StyleHash and drawings are ours.
type htmlPage struct {
	Title     string
	Style     template.CSS
	StyleHash template.HTMLAttr
	View      planView
	Tags      []htmlTag
	Sections  []htmlSection
	Changes   []htmlChange
	Left      string // what is not shown
	Bar       *htmlBar

	Machine      [][2]string
	Environments []htmlEnvironment
}

type htmlTag struct{ Class, Text string }

type htmlSection struct{ ID, Name string }

// htmlChange is a change, and whether it is unfolded.
type htmlChange struct {
	*changeView
	Manifest    string
	Plain, Open bool
}

type htmlEnvironment struct {
	Name, Text string
	Packages   []string
}

func newHTMLPage(m Machine) *htmlPage {
	style := colorsCSS + pageCSS
	digest := sha256.Sum256([]byte(style))
	p := &htmlPage{
		Style: template.CSS(style), StyleHash: template.HTMLAttr("sha256-" + base64.StdEncoding.EncodeToString(digest[:])),
		View: viewPlan(m.Plan, m.Options),
	}
	p.Title = "Plan"
	if p.View.Host != "" {
		p.Title += " for " + p.View.Host
	}
	p.Title += ": " + p.View.Line
	p.Tags = totalTags(&p.View)
	p.changes()
	p.Bar = newBar(p.View.Storage, m)
	p.machine(m)
	p.sections()
	return p
}

// totalTags are the totals, those of nothing left out.
func totalTags(v *planView) []htmlTag {
	t := v.Totals
	var tags []htmlTag
	for _, c := range []struct {
		n           int
		class, text string
	}{
		{t.Create, "good", "to create"},
		{t.Update, "warn", "to update"},
		{t.Replace, "warn", "to replace"},
		{t.Delete, "bad", "to delete"},
		{t.Deferred, "note", "decided during apply"},
		{t.Blocked, "bad", "blocked"},
	} {
		if c.n > 0 {
			tags = append(tags, htmlTag{c.class, fmt.Sprintf("%d %s", c.n, c.text)})
		}
	}
	return tags
}

// changes shows each change, unfolded where there are few or where it takes away.
func (p *htmlPage) changes() {
	few := len(p.View.Changes) <= manyChanges
	for i := range p.View.Changes {
		if i == maxPageChanges {
			p.Left = plural.Count(len(p.View.Changes)-i, "change") + " more; `reconcile plan` prints them."
			return
		}
		c := &p.View.Changes[i]
		p.Changes = append(p.Changes, htmlChange{
			changeView: c, Manifest: p.View.Manifest, Plain: c.isPlain(),
			Open: few || c.Action == resources.Delete || c.Action == resources.Replace,
		})
	}
}

func (p *htmlPage) machine(m Machine) {
	if m.Facts == nil {
		return
	}
	if host, ok := facts.Find[facts.Host](m.Facts, facts.HostKey); ok {
		p.Machine = append(p.Machine, [2]string{"host", host.Hostname}, [2]string{"platform", host.Platform})
		if host.OSVersion != "" {
			p.Machine = append(p.Machine, [2]string{"system", strings.TrimSpace(host.OS + " " + host.OSVersion)})
		}
		if host.Libc.Name != "" {
			p.Machine = append(p.Machine, [2]string{"C library", host.Libc.Name + " " + host.Libc.Version})
		}
	}
	has := runrecord.InstalledOn(m.Facts)
	p.Machine = append(p.Machine, installedRows(has)...)
	for i := range p.Machine {
		p.Machine[i] = [2]string{Escape(p.Machine[i][0]), Escape(p.Machine[i][1])}
	}
	for _, e := range has.Environments {
		p.Environments = append(p.Environments, newHTMLEnvironment(e))
	}
}

func newHTMLEnvironment(e runrecord.Environment) htmlEnvironment {
	out := htmlEnvironment{Name: Escape(e.Name)}
	switch {
	case e.Foreign != "":
		out.Text = Escape(e.Path + " is " + e.Foreign)
	case e.Generation == "":
		out.Text = Escape(e.Path + " is not built yet")
	default:
		out.Text = Escape(fmt.Sprintf("%s shows generation %s with Python %s", e.Path, e.Generation, e.Python))
	}
	for _, pkg := range e.Conda {
		out.Packages = append(out.Packages, Escape(pkg.Name+" "+pkg.Version+" (conda)"))
	}
	for _, pkg := range e.Packages {
		out.Packages = append(out.Packages, Escape(pkg.Name+" "+pkg.Version))
	}
	return out
}

// sections lists the parts that the page has, for the links at its head.
func (p *htmlPage) sections() {
	for _, s := range []struct {
		there    bool
		id, name string
	}{
		{len(p.View.Destructive) > 0, "destructive", "Taken away"},
		{len(p.View.Problems) > 0, "problems", "Problems"},
		{len(p.View.Checks) > 0, "checks", "Checks"},
		{len(p.View.Changes) > 0, "changes", "Changes"},
		{p.Bar != nil, "storage", "Storage"},
		{len(p.Machine)+len(p.Environments) > 0, "machine", "Machine"},
		{len(p.View.Notes) > 0, "notes", "Notes"},
	} {
		if s.there {
			p.Sections = append(p.Sections, htmlSection{s.id, s.name})
		}
	}
}
