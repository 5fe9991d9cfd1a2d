// Package catalog has published facts about releases of others: drivers, builds of torch,
// packages that break each other, ends of life. Each entry of its JSON files names its source.
//
// A release that is not listed is unknown, and callers report it as unknown.
package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// decode reads an embedded file of this package, whose first key is its format.
func decode[T any](name string, content []byte) T {
	var body T
	if !bytes.HasPrefix(content, []byte("{\n  \"format\": 1,\n")) {
		panic(fmt.Sprintf("embedded %s has another format", name))
	}
	if err := json.Unmarshal(content, &body); err != nil {
		panic(fmt.Sprintf("embedded %s: %v", name, err))
	}
	return body
}
