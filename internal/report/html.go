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
	"sync"

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

// maxPageChanges is the number of changes on a page.
const maxPageChanges = 1000

// PlanHTML prints the plan of a machine as one accessible page without scripts or
// external files. Its content security policy forbids the browser to load anything.
func PlanHTML(w io.Writer, m Machine) error {
	m.Detail, m.Verbose = true, true
	out := bufio.NewWriter(w)
	if err := planPage().Execute(out, newHTMLPage(m)); err != nil {
		return err
	}
	return out.Flush()
}

var planPage = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("plan").Funcs(template.FuncMap{
		"class": stateClass, "actionClass": actionClass,
		"packageClass": func(sign string) string { return map[string]string{"+": "good", "-": "bad"}[sign] },
	}).Parse(pageTemplate))
})

func stateClass(s CheckState) string {
	return map[CheckState]string{OK: "good", Warn: "warn", Fail: "bad"}[s]
}

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

// htmlPage is the input of the template, which escapes its strings. Style and StyleHash
// contain no text of others.
type htmlPage struct {
	Title     string
	Style     template.CSS
	StyleHash template.HTMLAttr
	View      planView
	Sections  []htmlSection
	Changes   []htmlChange
	Left      string // reports the changes above maxPageChanges

	Machine      [][2]string
	Environments []htmlEnvironment
}

type htmlSection struct{ ID, Name string }

// htmlChange is a change. Open unfolds it; Plain has no details.
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
	p.changes()
	p.machine(m)
	p.sections()
	return p
}

// changes adds the changes, unfolded if there are few or if they are destructive.
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
	installed := runrecord.InstalledOn(m.Facts, m.Plan)
	p.Machine = append(p.Machine, installedRows(installed)...)
	for i := range p.Machine {
		p.Machine[i] = [2]string{Escape(p.Machine[i][0]), Escape(p.Machine[i][1])}
	}
	for _, e := range installed.Environments {
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
		out.Text = Escape(fmt.Sprintf("%s is generation %s with Python %s", e.Path, e.Generation, e.Python))
	}
	for _, pkg := range e.Conda {
		out.Packages = append(out.Packages, Escape(pkg.Name+" "+pkg.Version+" (conda)"))
	}
	for _, pkg := range e.Packages {
		out.Packages = append(out.Packages, Escape(pkg.Name+" "+pkg.Version))
	}
	return out
}

// sections adds the links at the top of the page.
func (p *htmlPage) sections() {
	for _, s := range []struct {
		exists   bool
		id, name string
	}{
		{len(p.View.Destructive) > 0, "destructive", "Destructive changes"},
		{len(p.View.Problems) > 0, "problems", "Problems"},
		{len(p.View.Checks) > 0, "checks", "Checks"},
		{len(p.View.Changes) > 0, "changes", "Changes"},
		{p.View.Storage != nil, "storage", "Storage"},
		{len(p.Machine)+len(p.Environments) > 0, "machine", "Machine"},
		{len(p.View.AllNotes()) > 0, "notes", "Notes"},
	} {
		if s.exists {
			p.Sections = append(p.Sections, htmlSection{s.id, s.name})
		}
	}
}
