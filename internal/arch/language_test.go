package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// dialect lists words of translated prose, with the largest number of occurrences per 1,000
// lines. The rates of restic and age are 0.4 and 1.2 for the first, 0.6 for the second, and
// 0 for the others.
var dialect = []struct {
	name    string
	pattern string
	most    float64
}{
	{"say, says, said", `\b(say|says|said)\b`, 5},
	{"what is … as a noun clause", `\bwhat (is|are|was|were|has|had|the|a|an|it|they|this|that|its)\b`, 10},
	{"stand, stands, stood", `\b(stand|stands|stood|standing)\b`, 1},
	{"lies, lay, looks of things", `\b(lies|lay|looks)\b`, 1},
	{"packages of conda, line of Python", `\b(packages?|parts?|ones?|lines?|environments?) of (conda|Python)\b`, 1},
	{"nobody, whoever, anew", `\b(nobody|whoever|anew)\b`, 1},
	{"mend", `\bmend(s|ed|ing)?\b`, 0},
	{"without a word, over there", `\b(without a word|over there)\b`, 0},
}

// TestLanguage counts the dialect in the comments and in the messages of all Go files, and
// in the pages of docs. A rate that is too high is reported with the places.
func TestLanguage(t *testing.T) {
	repository := os.DirFS("../..")
	comments, messages := goText(t, repository)
	checkDialect(t, "comments", comments)
	checkDialect(t, "messages", messages)
	var prose []line
	for page, text := range markdown(t, repository) {
		if strings.HasPrefix(page, "docs/decisions/") {
			continue // superseded, never rewritten
		}
		n := 0
		for text := range strings.Lines(withoutFences(text)) {
			n++
			if strings.TrimSpace(text) != "" {
				prose = append(prose, line{page + ":" + strconv.Itoa(n) + " (without code blocks)", text})
			}
		}
	}
	checkDialect(t, "docs", prose)
}

// A line is a line of text with its place.
type line struct{ place, text string }

func checkDialect(t *testing.T, what string, lines []line) {
	t.Helper()
	for _, d := range dialect {
		pattern := regexp.MustCompile(`(?i)` + d.pattern)
		var found []string
		count := 0
		for _, l := range lines {
			if n := len(pattern.FindAllString(l.text, -1)); n > 0 {
				count += n
				found = append(found, l.place+": "+strings.TrimSpace(l.text))
			}
		}
		rate := 1000 * float64(count) / float64(len(lines))
		t.Logf("%s: %s: %d in %d lines, %.1f per 1,000", what, d.name, count, len(lines), rate)
		if rate > d.most {
			slices.Sort(found)
			t.Errorf("%s: %s: %.1f per 1,000 lines, at most %.0f are plain English (docs/glossary.md has other words)\n%s",
				what, d.name, rate, d.most, strings.Join(found[:min(len(found), 40)], "\n"))
		}
	}
}

// goText returns the lines of comments of all Go files, and the string literals that are
// sentences.
func goText(t *testing.T, repository fs.FS) (comments, messages []line) {
	set := token.NewFileSet()
	for _, dir := range []string{"bench", "cmd", "internal", "pkg"} {
		err := fs.WalkDir(repository, dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || name == "internal/arch/language_test.go" {
				return err
			}
			text, err := fs.ReadFile(repository, name)
			if err != nil {
				return err
			}
			file, err := parser.ParseFile(set, name, text, parser.ParseComments)
			if err != nil {
				return err
			}
			for _, group := range file.Comments {
				for _, c := range group.List {
					n := set.Position(c.Pos()).Line
					for text := range strings.Lines(c.Text) {
						comments = append(comments, line{name + ":" + strconv.Itoa(n), strings.Trim(text, "/* \t\n")})
						n++
					}
				}
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					n := set.Position(lit.Pos()).Line
					for text := range strings.Lines(strings.Trim(lit.Value, "`\"")) {
						if strings.Count(text, " ") >= 2 {
							messages = append(messages, line{name + ":" + strconv.Itoa(n), text})
						}
						n++
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return comments, messages
}
