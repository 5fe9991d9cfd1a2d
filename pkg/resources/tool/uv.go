package tool

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/reconcile-ml/reconcile/pkg/facts"
	"github.com/reconcile-ml/reconcile/pkg/lock"
)

// A Wheel is a wheel with one program in it.
type Wheel struct {
	lock.Wheel
	Libc    string       `json:"libc,omitempty"` // "glibc" or "musl" where it needs one
	Program facts.SHA256 `json:"program"`        // of the program that it installs
}

//go:embed uv.json
var uvJSON []byte

// UV returns the uv that this version of reconcile pins, without the line of
// Python. Older ones than Minimum put files into an environment that no lock
// names; it has every option that reconcile uses.
func UV() Spec {
	var doc struct {
		Format  int     `json:"format"`
		Source  string  `json:"source"`
		Version string  `json:"version"`
		Minimum string  `json:"minimum"`
		Wheels  []Wheel `json:"wheels"`
	}
	if err := json.Unmarshal(uvJSON, &doc); err != nil || doc.Format != 1 {
		panic(fmt.Sprintf("uv.json, which is part of this program: format %d: %v", doc.Format, err))
	}
	return Spec{Name: "uv", Version: doc.Version, Minimum: doc.Minimum, Wheels: doc.Wheels}
}
