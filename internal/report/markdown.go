package report

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/planner"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

const (
	// maxComment is how many bytes a plan in Markdown has at most. A comment on a pull
	// request holds 65,536 characters; the rest is for the mark by which a workflow
	// finds its comment again.
	maxComment = 65_000
	// maxMarkdownText is the longest single text, in bytes of Markdown.
	maxMarkdownText = 2_000
	// maxPackageRows is how many packages a table names.
	maxPackageRows = 400
)

// PlanMarkdown prints a plan for a comment on a pull request: the totals, what is
// taken away, what is wrong, the checks, each change folded away, and the storage
// summary. It stays below the length of such a comment, and says what was left out.
// Nothing in it is markup but what is meant so, and no name in it calls anybody.
func PlanMarkdown(w io.Writer, plan *planner.Plan, o Options) error {
	o.Detail = true
	v := viewPlan(plan, o)
	_, err := io.WriteString(w, fitBlocks(markdownBlocks(&v), maxComment))
	return err
}

// A block is a part of a page that may have to be shortened.
type block struct {
	long  string // whole
	short string // in one line; "" where there is none
	rank  int    // the lowest are written in full first
}

// Ranks of blocks: what must be read comes before what may be.
const (
	rankHead = iota
	rankProblem
	rankCheck
	rankDestructive
	rankChange
	rankNote
)

// fitBlocks puts blocks together so that they have at most limit bytes: all of them
// shortened as far as there is room, then as many as possible in full.
func fitBlocks(blocks []block, limit int) string {
	var whole strings.Builder
	for _, b := range blocks {
		whole.WriteString(b.long)
	}
	if whole.Len() <= limit {
		return whole.String()
	}
	chosen := make([]string, len(blocks))
	left := limit - 400 // for the last sentence
	for rank := rankHead; rank <= rankNote; rank++ {
		for i, b := range blocks {
			if b.rank == rank && len(b.short) <= left {
				chosen[i] = b.short
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
			switch more := len(b.long) - len(chosen[i]); {
			case more <= left:
				chosen[i] = b.long
				left -= more
			case chosen[i] == "":
				missing++
			default:
				shortened++
			}
		}
	}
	return strings.Join(chosen, "") + cutSentence(shortened, missing)
}

// cutSentence says what a page leaves out.
func cutSentence(shortened, missing int) string {
	var parts []string
	if shortened > 0 {
		parts = append(parts, plural.Count(shortened, "part")+" without details")
	}
	if missing > 0 {
		parts = append(parts, plural.Count(missing, "part")+" left out")
	}
	return "\n_This is longer than a comment may be: " + strings.Join(parts, ", ") + ". `reconcile plan` prints all of it._\n"
}

// markdownBlocks writes each part of a plan.
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
	if len(v.Notes) > 0 {
		text := ""
		for _, note := range v.Notes {
			text += "- " + md(note) + "\n"
		}
		blocks = append(blocks, block{folded("Notes", text), "", rankNote})
	}
	return blocks
}

func markdownHead(v *planView) block {
	title := "### reconcile plan"
	if v.Host != "" {
		title += " for " + mdCode(v.Host)
	}
	if v.Environment != "" {
		title += ", environment " + mdCode(v.Environment)
	}
	text := title + "\n\n" + "**" + md(v.Line) + ".**\n\n"
	return block{text, text, rankHead}
}

func markdownProblem(p problemView) block {
	word := "⛔ **error:** "
	if p.Warning {
		word = "⚠️ **warning:** "
	}
	short := "\n" + word + md(p.Headline) + "\n"
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

// markdownChange writes a change as one line that unfolds. Between changes stands
// no blank line where none unfolds, so that they are one list.
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
	return block{folded(line, b.String()), short, rank}
}

// isPlain reports whether a change has nothing to unfold: its line says it all.
func (c *changeView) isPlain() bool {
	return c.Need == "" && len(c.Fields)+len(c.Packages) == 0 &&
		(len(c.Steps) == 0 || len(c.Steps) == 1 && len(c.Steps[0].Diff) == 0 && c.Steps[0].Command == "" && c.Steps[0].Hidden == "" && c.Action == resources.Create)
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

// markdownSteps writes steps as they are typed, each difference in a block of its own.
func markdownSteps(steps []stepView) string {
	var out, run strings.Builder
	flush := func() {
		if run.Len() > 0 {
			out.WriteString(fence("text", strings.TrimSuffix(run.String(), "\n")))
			run.Reset()
		}
	}
	for _, s := range steps {
		if s.Command != "" {
			run.WriteString("$ " + s.Command + "\n")
		}
		for _, text := range s.Texts {
			run.WriteString(text + "\n")
		}
		for _, note := range s.Notes {
			run.WriteString("  (" + note + ")\n")
		}
		if s.Hidden != "" {
			run.WriteString("  (the difference is not shown: " + s.Hidden + ")\n")
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
	line := "Storage on " + mdCode(s.Path)
	if s.Verdict != "" {
		line += ": " + md(s.Verdict)
	}
	return block{folded(line, b.String()), "\n" + line + "\n", rankCheck}
}

// folded puts text below a line that unfolds it. Both are Markdown already; the line
// stands in HTML, where md and mdCode mean the same.
func folded(line, text string) string {
	return "\n<details><summary>" + line + "</summary>\n\n" + strings.Trim(text, "\n") + "\n\n</details>\n\n"
}

// fence writes a block of code. Its fence is longer than any that the code holds.
func fence(language, code string) string {
	ticks := "```"
	for strings.Contains(code, ticks) {
		ticks += "`"
	}
	return ticks + language + "\n" + code + "\n" + ticks + "\n\n"
}

// md returns text that is no markup, neither of Markdown nor of HTML, in a paragraph,
// a cell of a table and a summary alike. A word that would call a person, point to an
// issue or become a link stands as code, where nothing is read into it.
func md(text string) string {
	words := strings.Split(clip(text), " ")
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
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = md(l)
	}
	return strings.Join(out, "<br>")
}

// mdCode returns text as code. Where addresses are made links, that happens in code
// too, so what would begin one is spelled out; an @ has its own piece of code, since
// nothing before it is what keeps it from being one of mail.
func mdCode(text string) string {
	code := strings.NewReplacer("@", "</code><code>&#64;</code><code>", "://", "&#58;//").Replace(entities(clip(text)))
	code = www.ReplaceAllString(code, "$1&#46;")
	return strings.ReplaceAll("<code>"+code+"</code>", "<code></code>", "")
}

// www is how an address without a scheme begins.
var www = regexp.MustCompile(`(?i)(www)\.`)

// isReference reports whether a host of repositories reads more into a word: @name,
// #12, GH-12, an address, :emoji:, or the digest of a commit.
func isReference(word string) bool {
	return strings.ContainsAny(word, "@#") || strings.Contains(word, "://") || strings.Count(word, ":") > 1 ||
		www.MatchString(word) || pointer.MatchString(word)
}

// pointer is how an issue or a commit is named in a sentence.
var pointer = regexp.MustCompile(`(?i)\bgh-[0-9]|\b[0-9a-f]{7,40}\b`)

// entities spells every character that Markdown or HTML could read as markup by its
// number: what is spelled so is never markup.
func entities(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf && strings.ContainsRune("\\`*_{}[]<>#!|~&$", r) {
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// clip cuts a text that no one reads to its end.
func clip(text string) string {
	if len(text) <= maxMarkdownText {
		return text
	}
	cut := maxMarkdownText
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (%d bytes more)", text[:cut], len(text)-cut)
}
