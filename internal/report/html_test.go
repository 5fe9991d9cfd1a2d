package report_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/planner"
)

// pageMachine is a known machine with an environment and fullPlan.
func pageMachine() report.Machine {
	known := machineFacts(25_300_000_000)
	known.Set(facts.Environment{Name: "local", Path: ".venv", Current: "1f2e3d4c5b6a", Generations: []facts.Generation{{
		Name: "1f2e3d4c5b6a", Python: "3.10.12", Packages: []facts.Package{{Name: "datasets", Version: "2.20.0"}, {Name: "toolz", Version: "0.12.0"}},
	}}})
	return report.Machine{Plan: fullPlan(), Resources: manifestResources(), Facts: known, Options: report.Options{ReadText: readText}}
}

func planPage(t *testing.T, m report.Machine) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.PlanHTML(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPlanHTML(t *testing.T) {
	golden.Check(t, "testdata/plan.html", []byte(planPage(t, pageMachine())))
}

// TestPlanHTMLEscapesMarkup checks that text from outside adds no element to the page.
func TestPlanHTMLEscapesMarkup(t *testing.T) {
	for name, plan := range map[string]*planner.Plan{"markup": markupPlan(), "terminal": hostilePlan()} {
		page := planPage(t, report.Machine{Plan: plan, Facts: facts.Of(facts.Host{Hostname: markup, Platform: hostile}), Options: report.Options{Manifest: markup}})
		if controls(page) {
			t.Errorf("%s: the page can control a terminal", name)
		}
		for _, bad := range []string{"<img", "</details> &lt;!--", "<b>", "onerror=\"", "href=\"http", "href=\"javascript", "<script"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: %q is in the page", name, bad)
			}
		}
		if a, b := strings.Count(page, "<details"), strings.Count(page, "</details>"); a != b {
			t.Errorf("%s: %d parts unfold, %d end", name, a, b)
		}
	}
}

func TestPlanHTMLOfManyChanges(t *testing.T) {
	page := planPage(t, report.Machine{Plan: manyPlan(1500)})
	if !strings.Contains(page, "501 changes more; `reconcile plan` prints them.") || strings.Contains(page, "f1200") {
		t.Error("a page of 1501 changes does not report the omitted ones")
	}
	if n := strings.Count(page, `class="change" open`); n != 0 {
		t.Errorf("%d of very many changes are unfolded", n)
	}
}

// TestPageInABrowser opens the page in both color schemes, on a phone and in print.
// RECONCILE_PHOTOS is a folder that keeps the pictures.
func TestPageInABrowser(t *testing.T) {
	b := newBrowser(t)
	photos := os.Getenv("RECONCILE_PHOTOS")
	if photos == "" {
		photos = t.TempDir()
	}
	checkFaultsAreFound(t, b)
	for _, p := range []struct {
		name  string
		m     report.Machine
		views string // first letters of the views to check
	}{
		{"usual", pageMachine(), "ldpt"},
		{"hostile", report.Machine{Plan: markupPlan(), Facts: machineFacts(1), Options: report.Options{Manifest: markup}}, "l"},
		{"nothing", report.Machine{Plan: &planner.Plan{Host: "gpu1", Unchanged: 13}, Facts: machineFacts(1), Resources: manifestResources()}, "d"},
	} {
		name, file := p.name, filepath.Join(t.TempDir(), p.name+".html")
		if err := os.WriteFile(file, []byte(planPage(t, p.m)), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name, media, scheme string
			width               int
		}{
			{"light", "screen", "light", 1100},
			{"dark", "screen", "dark", 1100},
			{"phone", "screen", "dark", 360},
			{"tablet", "screen", "light", 720},
			{"paper", "print", "dark", 800},
		} {
			if !strings.Contains(p.views, c.name[:1]) {
				continue
			}
			b.show(c.width, c.media, c.scheme)
			b.open("file://" + file)
			checkPage(t, b, name+" "+c.name)
			b.photograph(filepath.Join(photos, name+"-"+c.name+".png"))
			if c.media == "print" {
				b.print(filepath.Join(photos, name+".pdf"))
			}
			checkQuiet(t, b, name+" "+c.name, "file://"+file)
		}
	}
	checkKeyboard(t, b, planPage(t, pageMachine()))
}

// checkKeyboard moves the focus with the tabulator key. The link that skips to the plan comes
// first, and each focused element is visible.
func checkKeyboard(t *testing.T, b *browser, page string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keyboard.html")
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	b.call("Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true}, nil)
	b.show(800, "screen", "light")
	b.open("file://" + file)
	for i := range 6 {
		for _, kind := range []string{"keyDown", "keyUp"} {
			b.call("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}, nil)
		}
		var at struct {
			Class   string
			Left    float64
			Outline string
		}
		b.eval("() => { const e = document.activeElement; return {Class: e.className, Left: e.getBoundingClientRect().left, Outline: getComputedStyle(e).outlineStyle}; }", &at)
		if at.Outline == "none" || at.Left < 0 || (i == 0) != (at.Class == "skip") {
			t.Errorf("after %d keys the focus is at %+v", i+1, at)
		}
	}
}

// checkFaultsAreFound opens a page with faults, and checks that each is found.
func checkFaultsAreFound(t *testing.T, b *browser) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "faulty.html")
	const page = `<!doctype html><title>x</title><h1>a</h1><h3 id=i>b</h3><p id=i style="color:#999;background:#fff;width:3000px">faint</p>` +
		`<a href="https://example.org/">x</a><table><tr><td>x</table><svg role=img></svg><details><summary hidden>a</summary>b</details>`
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	b.show(360, "screen", "light")
	b.open("file://" + file)
	var faults []string
	b.eval(pageFaults, &faults)
	all := strings.Join(faults, "\n")
	for _, want := range []string{"wider than the window", "no language", "0 of main", "heading 3 after 1", "a duplicate id", "a link to https", "a table without headings", "a drawing without words", "contrast 2.8"} {
		if !strings.Contains(all, want) {
			t.Errorf("the fault %q is not found in\n%s", want, all)
		}
	}
}

// checkQuiet fails if the page reported an error or requested another resource.
func checkQuiet(t *testing.T, b *browser, name, url string) {
	t.Helper()
	for _, e := range b.events {
		switch e.Method {
		case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded":
			t.Errorf("%s: the browser reports %s", name, e.Params)
		case "Network.requestWillBeSent":
			var sent struct{ Request struct{ URL string } }
			if err := json.Unmarshal(e.Params, &sent); err != nil {
				t.Fatal(err)
			}
			if sent.Request.URL != url && !strings.HasPrefix(sent.Request.URL, "data:,") {
				t.Errorf("%s: the page asks for %s", name, sent.Request.URL)
			}
		}
	}
}

// checkPage checks the accessibility of the page.
func checkPage(t *testing.T, b *browser, name string) {
	t.Helper()
	var faults []string
	b.eval(pageFaults, &faults)
	for _, f := range faults {
		t.Errorf("%s: %s", name, f)
	}
}

// pageFaults returns the faults of the current page.
const pageFaults = `() => {
	const faults = [], all = s => [...document.querySelectorAll(s)];
	const root = document.documentElement;
	if (root.scrollWidth > root.clientWidth) faults.push("wider than the window: " + root.scrollWidth + " of " + root.clientWidth);
	if (root.lang !== "en" || !document.title) faults.push("no language or no title");
	for (const one of ["header", "main", "footer", "h1"]) if (all(one).length !== 1) faults.push(all(one).length + " of " + one);
	let level = 0;
	for (const h of all("h1, h2, h3, h4")) {
		const next = +h.tagName[1];
		if (next > level + 1) faults.push("heading " + next + " after " + level + ": " + h.textContent);
		level = next;
	}
	const ids = all("[id]").map(e => e.id);
	if (new Set(ids).size !== ids.length) faults.push("a duplicate id");
	for (const e of all("[aria-labelledby]")) for (const id of e.getAttribute("aria-labelledby").split(" ")) if (!document.getElementById(id)) faults.push("no " + id);
	for (const a of all("a[href]")) if (!a.getAttribute("href").startsWith("#") || !document.getElementById(a.getAttribute("href").slice(1))) faults.push("a link to " + a.getAttribute("href"));
	for (const table of all("table")) {
		if (!table.querySelector("thead th[scope=col]")) faults.push("a table without headings");
		const wide = table.querySelectorAll("thead th").length;
		for (const row of table.querySelectorAll("tbody tr")) {
			if (row.cells.length !== wide) faults.push("a row of " + row.cells.length + " cells of " + wide);
			if (!row.querySelector("th[scope=row]")) faults.push("a row without a heading");
		}
	}
	for (const svg of all("svg[role=img]")) if (!svg.getAttribute("aria-label") && !svg.querySelector("title")) faults.push("a drawing without words");
	for (const e of all("script, img, iframe, object, embed, link:not([href='data:,']), [style], [onclick]")) faults.push("a " + e.outerHTML.slice(0, 80));
	const number = c => c.match(/[\d.]+/g).map(Number);
	const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const ground = e => { for (; e; e = e.parentElement) { const c = number(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
	for (const e of all("body *")) {
		if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.getClientRects().length || e.closest("svg, .skip")) continue;
		const a = light(number(getComputedStyle(e).color).slice(0, 3)), b = light(ground(e).slice(0, 3));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) faults.push("contrast " + ratio.toFixed(2) + " of " + e.outerHTML.slice(0, 80));
	}
	if (matchMedia("screen").matches) for (const s of all("summary")) { if (!s.checkVisibility()) continue; s.focus(); if (document.activeElement !== s) faults.push("no focus on " + s.textContent); }
	if (matchMedia("print").matches) for (const d of all("details")) for (const e of d.children) if (e.tagName !== "SUMMARY" && !e.getClientRects().length) faults.push("not on paper: " + e.textContent.slice(0, 60));
	return faults;
}`
