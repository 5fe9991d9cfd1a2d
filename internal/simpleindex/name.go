package simpleindex

import (
	"fmt"
	"net/url"
	"path"
	"strings"
)

// maxName is the maximum length of the name of an index in a manifest.
const maxName = 64

// ProposeName returns a name for an index without one, which is not taken: of the second level of
// the host and the last element of the path. That of https://download.HOST.org/whl/cu128 is
// host-cu128.
func ProposeName(address string, isTaken func(name string) bool) string {
	text := ""
	if u, err := url.Parse(address); err == nil {
		labels := strings.Split(u.Hostname(), ".")
		text = labels[max(0, len(labels)-2)]
		if last := path.Base(u.Path); last != "simple" {
			text += "-" + last
		}
	}
	words := strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') })
	stem := strings.TrimLeft(strings.Join(words, "-"), "0123456789-") // a name begins with a letter
	if stem = strings.TrimRight(stem[:min(len(stem), maxName-3)], "-"); stem == "" {
		stem = "index"
	}
	name := stem
	for n := 2; isTaken(name); n++ {
		name = fmt.Sprintf("%s-%d", stem, n)
	}
	return name
}
