package arch

import (
	"io/fs"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// A link of Markdown ends in ](target) or stands in a definition, [name]: target.
var (
	inlineLink = regexp.MustCompile(`\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)`)
	definition = regexp.MustCompile(`(?m)^ {0,3}\[[^\]]+\]: *<?([^\s>]+)>?`)
	codeSpan   = regexp.MustCompile("(?s)(``+).*?[^`]``+|`[^`]*`")
	heading    = regexp.MustCompile(`^ {0,3}#{1,6} +(.*?)(?: +#+)? *$`)
	anchorTag  = regexp.MustCompile(`<a (?:name|id)="([^"]+)"`)
)

// TestLinks holds that every relative link of every Markdown file leads to a file of
// this repository, and its anchor to a heading there. Nothing of the network is asked.
func TestLinks(t *testing.T) {
	repository := os.DirFS("../..")
	pages := markdown(t, repository)
	if len(pages) < 20 {
		t.Fatalf("only %d pages are found", len(pages))
	}
	checked := 0
	for page, text := range pages {
		for _, link := range links(text) {
			u, err := url.Parse(link)
			if err != nil {
				t.Errorf("%s: %s is no link: %v", page, link, err)
				continue
			}
			if u.Scheme != "" || u.Host != "" {
				continue
			}
			checked++
			target := page
			if u.Path != "" {
				target = path.Join(path.Dir(page), u.Path)
			}
			if _, err := fs.Stat(repository, target); err != nil {
				t.Errorf("%s: %s leads nowhere: %v", page, link, err)
				continue
			}
			if u.Fragment != "" && !slices.Contains(anchors(pages[target]), u.Fragment) {
				t.Errorf("%s: %s: %s has no such heading", page, link, target)
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d links are found", checked)
	}
}

// TestEveryPageIsListed holds that docs/README.md leads to every other page of docs.
func TestEveryPageIsListed(t *testing.T) {
	pages := markdown(t, os.DirFS("../.."))
	listed := links(pages["docs/README.md"])
	for page := range pages {
		if below, ok := strings.CutPrefix(page, "docs/"); ok && below != "README.md" && !slices.Contains(listed, below) {
			t.Errorf("docs/README.md does not list %s", below)
		}
	}
}

// markdown returns the pages of the repository, by path. What git does not keep, and
// the data of tests, are left out.
func markdown(t *testing.T, repository fs.FS) map[string]string {
	pages := map[string]string{}
	err := fs.WalkDir(repository, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"testdata", "bin", "data", "models", "adapters", "shared"}, d.Name())) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".md") {
			return nil
		}
		text, err := fs.ReadFile(repository, name)
		pages[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// links returns the targets of the links of a page. Code holds none.
func links(text string) (targets []string) {
	prose := codeSpan.ReplaceAllString(withoutFences(text), "")
	for _, form := range []*regexp.Regexp{inlineLink, definition} {
		for _, m := range form.FindAllStringSubmatch(prose, -1) {
			targets = append(targets, m[1])
		}
	}
	return targets
}

// withoutFences returns a page without its blocks of code.
func withoutFences(text string) string {
	var b strings.Builder
	fence := ""
	for line := range strings.Lines(text) {
		bare := strings.TrimSpace(line)
		switch {
		case fence != "":
			if strings.HasPrefix(bare, fence) && strings.Trim(bare, fence[:1]) == "" {
				fence = ""
			}
		case strings.HasPrefix(bare, "```"), strings.HasPrefix(bare, "~~~"):
			fence = bare[:len(bare)-len(strings.TrimLeft(bare, bare[:1]))]
		default:
			b.WriteString(line)
		}
	}
	return b.String()
}

// anchors returns what GitHub calls the headings of a page: in small letters, without
// marks, blanks as -, and a number behind those that were there before.
func anchors(text string) (names []string) {
	for line := range strings.Lines(withoutFences(text)) {
		for _, m := range anchorTag.FindAllStringSubmatch(line, -1) {
			names = append(names, m[1])
		}
		m := heading.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			continue
		}
		title := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
				return unicode.ToLower(r)
			}
			return -1
		}, title)
		unique := name
		for i := 1; slices.Contains(names, unique); i++ {
			unique = name + "-" + strconv.Itoa(i)
		}
		names = append(names, unique)
	}
	return names
}

func TestAnchors(t *testing.T) {
	page := "# A page\n```sh\n# no heading\n```\n## `gpu.low`, and more\n## A page\n### [x](y) é_Z!\n<a name=\"own\"></a>\n"
	want := []string{"a-page", "gpulow-and-more", "a-page-1", "x-é_z", "own"}
	if got := anchors(page); !slices.Equal(got, want) {
		t.Errorf("anchors = %q, want %q", got, want)
	}
	text := "[a](b.md#c) `[no](no.md)` ![i](i.png \"t\")\n```\n[no](no)\n```\n[r]: <d.md>\n"
	if got := links(text); !slices.Equal(got, []string{"b.md#c", "i.png", "d.md"}) {
		t.Errorf("links = %q", got)
	}
}
