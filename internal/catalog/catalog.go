// Package catalog has published facts about releases of others: drivers, builds of torch,
// packages that break each other, ends of life. Each entry of its JSON files names its source.
//
// A release that is not listed is unknown, and callers report it as unknown.
package catalog

import (
	"encoding/json"
	"fmt"
)

// decode reads an embedded file of this package.
func decode[T any](name string, content []byte) T {
	var doc struct {
		Format int `json:"format"`
		Body   T   `json:"-"`
	}
	err := json.Unmarshal(content, &doc)
	if err == nil {
		err = json.Unmarshal(content, &doc.Body)
	}
	if err != nil || doc.Format != 1 {
		panic(fmt.Sprintf("embedded %s: format %d: %v", name, doc.Format, err))
	}
	return doc.Body
}
