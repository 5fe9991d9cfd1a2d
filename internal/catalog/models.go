package catalog

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// A ModelNeed is the oldest version of a package that supports a model.
type ModelNeed struct {
	Repos     []string `json:"repos"` // prefixes of repositories on the Hugging Face Hub
	Package   string   `json:"package"`
	Minimum   string   `json:"minimum"`
	Otherwise string   `json:"otherwise"` // effect of an older version
	Source    string   `json:"source"`
}

//go:embed models.json
var modelsJSON []byte

var modelNeeds = sync.OnceValue(func() []ModelNeed {
	return decode[struct{ Models []ModelNeed }]("models.json", modelsJSON).Models
})

// Needs returns the package versions that a model needs, one for each package. Of several
// prefixes that match the repository, the longest one applies.
func Needs(repo string) (list []ModelNeed) {
	longest := map[string]int{} // by package: of the prefixes that match
	for _, n := range modelNeeds() {
		for _, prefix := range n.Repos {
			if !strings.HasPrefix(repo, prefix) || len(prefix) <= longest[n.Package] {
				continue
			}
			longest[n.Package] = len(prefix)
			list = slices.DeleteFunc(list, func(other ModelNeed) bool { return other.Package == n.Package })
			list = append(list, n)
		}
	}
	return list
}
