package manifest

import (
	_ "embed"
	"strings"
)

//go:embed starter.yaml
var starter string

// Starter returns the commented manifest that `reconcile init` writes. A project
// name that the manifest would refuse is turned into one that it takes.
func Starter(project string) string {
	return strings.Replace(starter, "PROJECT", slug(project), 1)
}

// slug makes the name of a project of any text, such as that of a folder.
func slug(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9' && b.Len() > 0:
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() == 64 {
			break
		}
	}
	if name := strings.TrimRight(b.String(), "-"); name != "" {
		return name
	}
	return "project"
}
