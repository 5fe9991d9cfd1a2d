package report_test

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// markup is a name that tries to be markup.
const markup = "a|b \\| `c` **d** _e_ ~~f~~ <img src=x onerror=alert(1)> </details> <!-- @octocat me@here.org #1 org/repo#2 GH-3 deadbeef12 " +
	"https://evil.example www.evil.example [x](javascript:alert(1)) ![y](//evil.example/y.png) ``` ~~~ $x$ :tada: &lt;b&gt; {{.}} - [ ] 1. # h"

// markupPlan is hostilePlan with markup.
func markupPlan() *planner.Plan {
	p := hostilePlan()
	r := res("file", markup, facts.PathKey(markup))
	r.Pos.File = markup
	change := &p.Items[0].Change
	p.Items[0].Resource, p.Items[1].Resource = r, r
	change.Summary = markup
	change.Fields = []resources.Field{{Path: markup, Actual: markup, Desired: markup}}
	change.Packages = []resources.PackageChange{{Name: markup, Actual: markup, Desired: markup}}
	change.Steps = []resources.Step{
		resources.WriteFile{Path: markup, Content: "```\n</pre></details>\n@octocat\n`````\n" + markup + "\n"},
		resources.Run{Program: markup, Args: []string{markup}, Env: []string{markup}, Dir: markup},
		resources.WriteFile{Path: markup, Content: "\x00"},
	}
	p.Items[1].Change.Summary = markup
	p.Items[1].Change.Problem = &diag.Problem{Code: "a.b", Pos: r.Pos, Addr: markup, Summary: markup, Source: markup, Found: markup + "\n" + markup, Hint: markup}
	p.Environment, p.Root, p.Host, p.Platform, p.Notes, p.Notices = markup, markup, markup, markup, []string{markup}, []string{markup}
	p.Storage = &planner.Storage{Path: markup, Budget: []resources.Budget{{Item: markup, Low: 1, High: 2}}}
	return p
}

func markdown(t *testing.T, p *planner.Plan) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.PlanMarkdown(&b, p, report.Options{ReadText: readText}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPlanMarkdown(t *testing.T) {
	golden.Check(t, "testdata/plan.md", []byte(markdown(t, fullPlan())))
}

func TestPlanMarkdownNothingToDo(t *testing.T) {
	got := markdown(t, &planner.Plan{Host: "gpu1", Environment: "local", Unchanged: 13})
	want := "### reconcile plan for <code>gpu1</code>, environment <code>local</code>\n\n**Nothing to do: 13 resources agree with manifest.yaml.**\n\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

var (
	fences = regexp.MustCompile("(?ms)^(```+)[a-z]+\n.*?^(```+)\n")
	codes  = regexp.MustCompile("<code>[^<]*</code>")
	// pointers match text that GitHub turns into links without an address.
	pointers = regexp.MustCompile(`(?i)\bwww\.[a-z]|\bgh-[0-9]+\b|\b[0-9a-f]{7,40}\b|:[a-z_+-]+:`)
	tags     = regexp.MustCompile("</?(details|summary|code|br)>")
)

// TestMarkdownEscapesMarkup parses hostile plans as GitHub does.
func TestMarkdownEscapesMarkup(t *testing.T) {
	for name, plan := range map[string]*planner.Plan{"markup": markupPlan(), "terminal": hostilePlan(), "usual": fullPlan()} {
		t.Run(name, func(t *testing.T) {
			source := markdown(t, plan)
			if controls(source) {
				t.Errorf("%q can control a terminal", source)
			}
			checkMarkdown(t, source)
		})
	}
}

func checkMarkdown(t *testing.T, source string) {
	t.Helper()
	prose := codes.ReplaceAllString(fences.ReplaceAllString(source, ""), "")
	if rest := tags.ReplaceAllString(prose, ""); strings.ContainsAny(rest, "<@") {
		t.Errorf("markup that is not ours is left in\n%s", rest)
	}
	for _, bad := range []string{"&#64;", "&#35;", "://"} {
		if strings.Contains(prose, bad) {
			t.Errorf("%q is outside of code in\n%s", bad, prose)
		}
	}
	if at := pointers.FindString(html.UnescapeString(prose)); at != "" {
		t.Errorf("%q points elsewhere in\n%s", at, prose)
	}
	if a, b := strings.Count(prose, "<details>"), strings.Count(prose, "</details>"); a != b {
		t.Errorf("%d parts unfold, %d end", a, b)
	}
	parser := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser()
	_ = ast.Walk(parser.Parse(text.NewReader([]byte(source))), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link, *ast.AutoLink, *ast.Image, *ast.Blockquote, *tables.Strikethrough, *tables.TaskCheckBox:
			t.Errorf("there is a %s", n.Kind())
		case *ast.CodeSpan:
			if !strings.Contains(source, "`reconcile plan` prints all of it._\n") { // our own last sentence
				t.Errorf("there is a %s", n.Kind())
			}
		case *tables.Table:
			for row := n.FirstChild(); row != nil; row = row.NextSibling() {
				if row.ChildCount() != len(n.Alignments) {
					t.Errorf("a row has %d cells of %d", row.ChildCount(), len(n.Alignments))
				}
			}
		case *ast.FencedCodeBlock:
			if info := string(n.Language([]byte(source))); info != "text" && info != "diff" && info != "yaml" {
				t.Errorf("a block of %q", info)
			}
		}
		return ast.WalkContinue, nil
	})
}

// TestMarkdownFitsAComment checks the length, and that omitted parts are reported.
func TestMarkdownFitsAComment(t *testing.T) {
	long := fullPlan()
	long.Items[3].Change.Problem.Found = strings.Repeat("found ", 100_000)
	noisy := markupPlan()
	for range 300 {
		noisy.Items = append(noisy.Items, noisy.Items[:2]...)
	}
	for name, c := range map[string]struct {
		plan *planner.Plan
		want []string
	}{
		"many":         {manyPlan(2000), []string{"longer than a comment", "left out", "2000 to create"}},
		"details":      {manyPlan(300), []string{"longer than a comment", "without details", "Replaces"}},
		"long finding": {long, []string{"bytes more"}},
		"noisy":        {noisy, []string{"left out"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := markdown(t, c.plan)
			if len(got) > 65_000 {
				t.Errorf("%d bytes", len(got))
			}
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in\n%.3000s", want, got)
				}
			}
			checkMarkdown(t, got)
		})
	}
	if got := markdown(t, manyPlan(25)); strings.Contains(got, "longer than") || !strings.Contains(got, fmt.Sprintf("f%03d", 24)) {
		t.Errorf("a plan that fits is cut:\n%.2000s", got)
	}
}

// FuzzMarkdown checks any name as TestMarkdownEscapesMarkup does.
func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{"plain", markup, hostile, "@a", "a@b.c", "x``y", "|", "\\|", "<", "&", "#1", "abcdef0", "~~~", "http://a", ":a:b:", "---", "1.", "\u00a0@a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if len(name) > 300 {
			return
		}
		plan := &planner.Plan{Host: name, Notes: []string{name}, Items: []planner.Item{{Resource: res("file", name, facts.PathKey(name)), Change: resources.Change{
			Action: resources.Update, Summary: name, Fields: []resources.Field{{Path: name, Actual: name, Desired: name}},
			Steps: []resources.Step{resources.WriteFile{Path: name, Content: name}, resources.Link{Path: name, Target: name}},
		}}}}
		checkMarkdown(t, markdown(t, plan))
	})
}
