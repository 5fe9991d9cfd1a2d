package manifest

import (
	_ "embed"
	"strings"
)

//go:embed starter.yaml
var starter string

// Starter returns the smallest manifest, which `reconcile init --bare` writes, with a valid
// form of the project name.
func Starter(project string) string {
	return strings.Replace(starter, "PROJECT", Slug(project), 1)
}

// Slug returns a valid name of a project or an environment for any text, such as the name
// of a folder. It has at most 64 characters.
func Slug(text string) string {
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
	if name := strings.TrimRight(b.String(), "-"); name != "" && name != "null" { // YAML reads null as no value
		return name
	}
	return "project"
}
