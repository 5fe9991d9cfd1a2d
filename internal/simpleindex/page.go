package simpleindex

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"mime"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"

	"github.com/reconcile-ml/reconcile/internal/download"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

// maxToken is the maximum size of one tag or text of HTML.
const maxToken = 1 << 20

// maxFiles is the number of files of a page that are read. The largest pages have some 10,000.
const maxFiles = 1 << 18

// A listing has the wheels of a page.
type listing struct {
	base    *url.URL // of relative links, without credentials
	host    string   // that returned the page
	kind    string   // media type
	files   map[string][]link
	offers  []ReleaseFile // wheels and source archives
	isIndex bool          // the page is one of an index, although it may be empty
	login   bool          // the page has a field for a password
	local   bool          // the page is a local file
	count   int           // of files
}

// describe returns a few words for a page that is not one of an index.
func (l *listing) describe() string {
	switch {
	case l.login:
		return "a login page"
	case slices.Contains([]string{"application/json", "application/xml", "text/html", "text/plain"}, l.kind):
		return "a page of type " + l.kind + " without files"
	}
	return "a page without files" // the type may be any text of the server
}

// A link is one file of a page.
type link struct {
	href      string
	sha256    facts.SHA256
	hasSHA256 bool
	yanked    bool
	reason    string // why it was withdrawn
	python    string // requires-python
	uploaded  time.Time
}

// parse parses a page by its media type.
func parse(page *download.Page) *listing {
	base := *page.URL
	base.User = nil
	kind, _, err := mime.ParseMediaType(page.Type)
	if err != nil {
		kind, _, _ = strings.Cut(page.Type, ";")
	}
	list := &listing{base: &base, host: base.Host, kind: kind, local: base.Scheme == "file", files: map[string][]link{}}
	if strings.HasSuffix(kind, "json") {
		list.parseJSON(page.Body)
	} else {
		list.parseHTML(page.Body)
	}
	return list
}

// add adds a file of the page. Other files than wheels and source archives only prove that the
// page is one of an index.
func (l *listing) add(file string, one link) {
	if l.count++; l.count > maxFiles || one.href == "" {
		return
	}
	switch {
	case strings.HasSuffix(file, ".whl"), lock.ValidArchive(file):
		l.files[file] = append(l.files[file], one)
		l.offers = append(l.offers, ReleaseFile{Name: file, Yanked: one.yanked, Reason: one.reason, RequiresPython: one.python, Uploaded: one.uploaded})
		l.isIndex = true
	case strings.HasSuffix(file, ".tar.gz"), strings.HasSuffix(file, ".zip"), strings.HasSuffix(file, ".egg"), strings.HasSuffix(file, ".tar.bz2"):
		l.offers = append(l.offers, ReleaseFile{Name: file, Yanked: one.yanked, Reason: one.reason, RequiresPython: one.python, Uploaded: one.uploaded})
		l.isIndex = true
	}
}

// parseJSON parses a page of PEP 691.
func (l *listing) parseJSON(body []byte) {
	var page struct {
		Meta struct {
			Version string `json:"api-version"`
		}
		Files json.RawMessage
	}
	if json.Unmarshal(body, &page) != nil || page.Meta.Version != "1" && !strings.HasPrefix(page.Meta.Version, "1.") {
		return
	}
	// One file at a time, so that the memory is that of the wheels.
	files := json.NewDecoder(bytes.NewReader(page.Files))
	if start, err := files.Token(); err != nil || start != json.Delim('[') {
		return
	}
	l.isIndex = true
	for files.More() {
		var f struct {
			Filename, URL  string
			Hashes         map[string]string
			Yanked         any    // false, true, or the reason
			RequiresPython string `json:"requires-python"`
			UploadTime     string `json:"upload-time"` // PEP 700
		}
		if files.Decode(&f) != nil {
			return
		}
		one := link{href: f.URL, yanked: f.Yanked != nil && f.Yanked != false, python: f.RequiresPython}
		one.uploaded, _ = time.Parse(time.RFC3339, f.UploadTime) // it remains zero
		one.reason, _ = f.Yanked.(string)
		one.setSHA256(f.Hashes["sha256"])
		l.add(f.Filename, one)
	}
}

// parseHTML parses a page of PEP 503, or any page with links to wheels.
func (l *listing) parseHTML(body []byte) {
	z := html.NewTokenizer(bytes.NewReader(body))
	z.SetMaxBuf(maxToken)
	hasBase, inTitle := false, false
	for {
		switch z.Next() {
		case html.ErrorToken:
			return
		case html.TextToken:
			if inTitle && bytes.HasPrefix(bytes.TrimSpace(z.Text()), []byte("Links for ")) {
				l.isIndex = true
			}
		case html.EndTagToken:
			inTitle = false
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			tag := string(name)
			inTitle = tag == "title"
			if !more || tag != "a" && tag != "base" && tag != "meta" && tag != "input" {
				continue
			}
			attributes := readAttributes(z)
			switch tag {
			case "a":
				l.addHref(attributes)
			case "base":
				if u, err := l.base.Parse(attributes["href"]); err == nil && !hasBase && attributes["href"] != "" {
					u.User = nil
					l.base, hasBase = u, true
				}
			case "meta":
				l.isIndex = l.isIndex || attributes["name"] == "pypi:repository-version"
			case "input":
				l.login = l.login || strings.EqualFold(attributes["type"], "password")
			}
		}
	}
}

// readAttributes returns the attributes of a tag, of which the first of each name counts.
func readAttributes(z *html.Tokenizer) map[string]string {
	attributes := map[string]string{}
	for more := true; more; {
		var key, value []byte
		key, value, more = z.TagAttr()
		if _, ok := attributes[string(key)]; !ok {
			attributes[string(key)] = string(value)
		}
	}
	return attributes
}

// addHref adds the file of a link with these attributes.
func (l *listing) addHref(attributes map[string]string) {
	address, fragment, _ := strings.Cut(strings.TrimSpace(attributes["href"]), "#")
	name, _, _ := strings.Cut(address, "?")
	name = name[strings.LastIndexByte(name, '/')+1:]
	if decoded, err := url.PathUnescape(name); err == nil {
		name = decoded
	}
	reason, yanked := attributes["data-yanked"]
	one := link{href: address, yanked: yanked, reason: reason, python: attributes["data-requires-python"]}
	for part := range strings.SplitSeq(fragment, "&") {
		if digest, ok := strings.CutPrefix(part, "sha256="); ok {
			one.setSHA256(digest)
		}
	}
	l.add(name, one)
}

// setSHA256 sets the digest if it is valid.
func (l *link) setSHA256(digest string) {
	if b, err := hex.DecodeString(digest); err == nil && len(b) == len(l.sha256) {
		l.sha256, l.hasSHA256 = facts.SHA256(b), true
	}
}
