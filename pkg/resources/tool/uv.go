package tool

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

// A Wheel is a wheel with one program in it.
type Wheel struct {
	lock.Wheel
	Libc    string       `json:"libc,omitempty"` // "glibc" or "musl" where it needs one
	Program facts.SHA256 `json:"program"`        // of the program that it installs
}

//go:embed uv.json
var uvJSON []byte

//go:embed rattler.json
var rattlerJSON []byte

// UV returns the uv that this version of reconcile pins, without the line of
// Python. Older ones than Minimum put files into an environment that no lock
// names; it has every option that reconcile uses.
func UV() Spec { return pinned("uv", uvJSON) }

// Rattler returns the py-rattler that this version of reconcile pins: the solver and
// installer of conda packages. It is without the line of Python, too.
func Rattler() Spec {
	s := pinned("rattler", rattlerJSON)
	s.Distribution, s.Packed = "py-rattler", true
	for i := range s.Wheels {
		s.Wheels[i].Program = s.Wheels[i].SHA256
	}
	return s
}

// pinned reads the wheels of a helper, which are part of this program.
func pinned(name string, text []byte) Spec {
	var doc struct {
		Format  int     `json:"format"`
		Source  string  `json:"source"`
		Version string  `json:"version"`
		Minimum string  `json:"minimum"`
		Wheels  []Wheel `json:"wheels"`
	}
	if err := json.Unmarshal(text, &doc); err != nil || doc.Format != 1 {
		panic(fmt.Sprintf("%s.json, which is part of this program: format %d: %v", name, doc.Format, err))
	}
	return Spec{Name: name, Version: doc.Version, Minimum: doc.Minimum, Wheels: doc.Wheels}
}
