package report

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

const (
	// maxComment is the largest size of a plan in Markdown, in bytes. A comment on GitHub
	// holds 65,536 characters; a workflow needs some for the mark of its comment.
	maxComment = 65_000
	// maxMarkdownText is the largest size of one text, in bytes before escaping.
	maxMarkdownText = 2_000
	// maxPackageRows is the number of packages in a table.
	maxPackageRows = 400
)

// PlanMarkdown prints a plan for a comment on a pull request: the totals, destructive
// changes, problems, checks, each change folded, and the storage summary. It is shorter
// than such a comment may be and reports omitted parts. Text from others is neither
// markup nor a mention.
func PlanMarkdown(w io.Writer, plan *planner.Plan, o Options) error {
	o.Detail, o.Verbose = true, true
	v := viewPlan(plan, o)
	_, err := io.WriteString(w, fitBlocks(markdownBlocks(&v), maxComment))
	return err
}

// A block is a part of a page that can be shortened.
type block struct {
	long  string // in full
	short string // in one line; "" to omit it
	rank  int    // blocks of the lowest rank get space first
}

const (
	rankHead = iota
	rankProblem
	rankCheck
	rankDestructive
	rankChange
	rankNote
)

// fitBlocks joins blocks to at most limit bytes. It includes as many short forms as fit,
// and then as many long ones.
func fitBlocks(blocks []block, limit int) string {
	var whole strings.Builder
	for _, b := range blocks {
		whole.WriteString(b.long)
	}
	if whole.Len() <= limit {
		return whole.String()
	}
	texts := make([]string, len(blocks))
	left := limit - 400 // for omitted
	for rank := rankHead; rank <= rankNote; rank++ {
		for i, b := range blocks {
			if b.rank == rank && len(b.short) <= left {
				texts[i] = b.short
				left -= len(b.short)
			}
		}
	}
	var shortened, missing int
	for rank := rankHead; rank <= rankNote; rank++ {
		for i, b := range blocks {
			if b.rank != rank {
				continue
			}
			switch more := len(b.long) - len(texts[i]); {
			case more <= left:
				texts[i] = b.long
				left -= more
			case texts[i] == "":
				missing++
			default:
				shortened++
			}
		}
	}
	return strings.Join(texts, "") + omitted(shortened, missing)
}

// omitted reports the blocks that were shortened or left out.
func omitted(shortened, missing int) string {
	var parts []string
	if shortened > 0 {
		parts = append(parts, plural.Count(shortened, "part")+" without details")
	}
	if missing > 0 {
		parts = append(parts, plural.Count(missing, "part")+" left out")
	}
	return "\n_This is longer than a comment may be: " + strings.Join(parts, ", ") + ". `reconcile plan` prints all of it._\n"
}

func markdownBlocks(v *planView) []block {
	blocks := []block{markdownHead(v)}
	for _, d := range v.Destructive {
		text := fmt.Sprintf("- **%s** %s\n", d.Verb, md(d.Name))
		blocks = append(blocks, block{text, text, rankDestructive})
	}
	for _, p := range v.Problems {
		blocks = append(blocks, markdownProblem(p))
	}
	if len(v.Checks) > 0 {
		blocks = append(blocks, markdownChecks(v.Checks))
	}
	if len(v.Changes) > 0 {
		const heading = "\n#### Changes\n\n"
		blocks = append(blocks, block{heading, heading, rankHead})
	}
	for i := range v.Changes {
		blocks = append(blocks, markdownChange(&v.Changes[i], v.Manifest))
	}
	if v.Storage != nil && (!v.Nothing || v.Storage.State != OK) {
		blocks = append(blocks, markdownStorage(v.Storage))
	}
	text := ""
	for _, note := range v.AllNotes() {
		text += "- " + md(note) + "\n"
	}
	if text != "" {
		blocks = append(blocks, block{foldable("Notes", text), "", rankNote})
	}
	return blocks
}

func markdownHead(v *planView) block {
	title := "### reconcile plan"
	if v.Host != "" {
		title += " for " + mdCode(v.Host)
	}
	for i, name := range v.Environments {
		separator := ", "
		switch {
		case i == 0 && len(v.Environments) == 1:
			separator = ", environment "
		case i == 0:
			separator = ", environments "
		}
		title += separator + mdCode(name)
	}
	text := title + "\n\n" + "**" + md(v.Line) + ".**\n\n"
	return block{text, text, rankHead}
}

func markdownProblem(p problemView) block {
	label := "⛔ **error:** "
	if p.Warning {
		label = "⚠️ **warning:** "
	}
	short := "\n" + label + md(p.Headline) + "\n"
	long := short
	if p.Source != "" {
		long += fence("yaml", p.Source)
	}
	for _, part := range []struct {
		label string
		lines []string
	}{{"found", p.Found}, {"hint", p.Hint}} {
		if len(part.lines) > 0 {
			long += fmt.Sprintf("<br>_%s:_ %s\n", part.label, mdLines(part.lines))
		}
	}
	return block{long, short, rankProblem}
}

func markdownChecks(checks []checkView) block {
	var b strings.Builder
	b.WriteString("\n#### Checks\n\n| | check | result |\n|---|---|---|\n")
	for _, c := range checks {
		mark := map[CheckState]string{OK: "✅ ok", Warn: "⚠️ warn", Fail: "⛔ fail"}[c.State]
		fmt.Fprintf(&b, "| %s | %s | %s |\n", mark, mdCode(c.Addr), md(c.Text))
	}
	return block{b.String(), fmt.Sprintf("\n#### Checks\n\n%s\n", plural.Count(len(checks), "check")), rankCheck}
}

// markdownChange returns a change as one line that unfolds. Changes that do not unfold
// have no blank line between them, so that they are one list.
func markdownChange(c *changeView, manifest string) block {
	line := fmt.Sprintf("%s %s: %s", mdCode(c.Sign), mdCode(c.Addr), md(c.Text))
	rank := rankChange
	if c.Action == resources.Delete || c.Action == resources.Replace {
		rank = rankDestructive
	}
	short := "- " + line + "\n"
	if c.isPlain() {
		return block{short, short, rank}
	}
	var b strings.Builder
	if len(c.Fields) > 0 {
		fmt.Fprintf(&b, "| | on this machine | %s |\n|---|---|---|\n", md(manifest))
		for _, f := range c.Fields {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", md(f.Path), md(f.Actual), md(f.Desired))
		}
		b.WriteString("\n")
	}
	b.WriteString(markdownPackages(c, manifest))
	b.WriteString(markdownSteps(c.Steps))
	if c.Need != "" {
		b.WriteString(md(c.Need) + "\n")
	}
	return block{foldable(line, b.String()), short, rank}
}

// isPlain reports whether a change has no details to unfold.
func (c *changeView) isPlain() bool {
	return c.Need == "" && len(c.Fields)+len(c.Packages) == 0 &&
		(len(c.Steps) == 0 || len(c.Steps) == 1 && len(c.Steps[0].Diff) == 0 && len(c.Steps[0].Words) == 0 && c.Steps[0].Aside == "" && c.Action == resources.Create)
}

func markdownPackages(c *changeView, manifest string) string {
	if len(c.Packages) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Packages: %s\n\n| | package | on this machine | %s |\n|---|---|---|---|\n", c.Counts, md(manifest))
	for i, p := range c.Packages {
		if i == maxPackageRows {
			fmt.Fprintf(&b, "| | %d more | | |\n", len(c.Packages)-i)
			break
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", mdCode(p.Sign), md(p.Name), md(p.Actual), md(p.Desired))
	}
	return b.String() + "\n"
}

// markdownSteps returns steps in blocks of code, each diff in its own block.
func markdownSteps(steps []stepView) string {
	var out, run strings.Builder
	flush := func() {
		if run.Len() > 0 {
			out.WriteString(fence("text", strings.TrimSuffix(run.String(), "\n")))
			run.Reset()
		}
	}
	for _, s := range steps {
		if len(s.Words) > 0 {
			run.WriteString("$ " + s.Command() + "\n")
		}
		for _, text := range s.Texts {
			run.WriteString(text + "\n")
		}
		for _, note := range s.Notes {
			run.WriteString("  (" + note + ")\n")
		}
		if s.Aside != "" {
			run.WriteString("  (" + s.Aside + ")\n")
		}
		if len(s.Diff) > 0 {
			flush()
			lines := make([]string, len(s.Diff))
			for i, l := range s.Diff {
				lines[i] = l.Text
			}
			out.WriteString(fence("diff", strings.Join(lines, "\n")))
		}
	}
	flush()
	return out.String()
}

func markdownStorage(s *storageView) block {
	var b strings.Builder
	b.WriteString("\n| | |\n|---|---|\n")
	for _, row := range s.Rows {
		fmt.Fprintf(&b, "| %s | %s |\n", md(row[0]), md(row[1]))
	}
	line := s.title()
	if s.Path != "" {
		line += mdCode(s.Path)
	}
	if s.Verdict != "" {
		line += ": " + md(s.Verdict)
	}
	return block{foldable(line, b.String()), "\n" + line + "\n", rankCheck}
}

// foldable returns text below a line that unfolds it. Both are Markdown; line is inside
// HTML, where md and mdCode have the same meaning.
func foldable(line, text string) string {
	return "\n<details><summary>" + line + "</summary>\n\n" + strings.Trim(text, "\n") + "\n\n</details>\n\n"
}

// fence returns a block of code. Its fence is longer than any fence in the code.
func fence(language, code string) string {
	ticks := "```"
	for strings.Contains(code, ticks) {
		ticks += "`"
	}
	return ticks + language + "\n" + code + "\n" + ticks + "\n\n"
}

// md escapes text for a paragraph, a table cell and a summary. A word that would mention
// a person, refer to an issue or become a link is returned as code, where hosts do not
// interpret it.
func md(text string) string {
	words := strings.Split(shorten(text, maxMarkdownText), " ")
	for i, w := range words {
		if isReference(w) {
			words[i] = mdCode(w)
		} else {
			words[i] = entities(w)
		}
	}
	return strings.Join(words, " ")
}

// mdLines joins lines of text.
func mdLines(lines []string) string {
	text := ""
	for i, l := range lines {
		if i > 0 {
			text += "<br>"
		}
		text += md(l)
	}
	return text
}

// mdCode returns text as code. Hosts turn addresses into links even in code, so "://" and
// "www." are escaped. An @ gets its own code element: GitHub reads a mail address across
// escapes.
func mdCode(text string) string {
	code := strings.NewReplacer("@", "</code><code>&#64;</code><code>", "://", "&#58;//").Replace(entities(shorten(text, maxMarkdownText)))
	code = www().ReplaceAllString(code, "$1&#46;")
	return strings.ReplaceAll("<code>"+code+"</code>", "<code></code>", "")
}

var (
	// www matches the start of an address without a scheme.
	www = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)(www)\.`) })
	// reference matches an issue and a commit.
	reference = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)\bgh-[0-9]|\b[0-9a-f]{7,40}\b`) })
)

// isReference reports whether a host would interpret a word: @name, #12, GH-12, an
// address, :emoji:, or the digest of a commit.
func isReference(word string) bool {
	return strings.ContainsAny(word, "@#") || strings.Contains(word, "://") || strings.Count(word, ":") > 1 ||
		www().MatchString(word) || reference().MatchString(word)
}

// entities escapes every character that can be markup in Markdown or HTML.
func entities(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune("\\`*_{}[]<>#!|~&$", r) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
