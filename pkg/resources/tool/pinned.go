package tool

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
)

// A Wheel is a wheel that contains one program.
type Wheel struct {
	lock.Wheel
	Libc    string       `json:"libc,omitempty"` // "glibc" or "musl" if it needs one
	Program facts.SHA256 `json:"program"`        // of the program, or of the wheel if it stays packed
}

//go:embed uv.json
var uvJSON []byte

//go:embed rattler.json
var rattlerJSON []byte

// UV returns the pinned uv, which resolves versions. Versions older than Minimum lack options
// that reconcile uses.
func UV() Spec { return pinned("uv", uvJSON) }

// Rattler returns the pinned py-rattler, which solves and installs conda packages.
func Rattler() Spec {
	s := pinned("rattler", rattlerJSON)
	s.Distribution, s.Packed = "py-rattler", true
	for i := range s.Wheels {
		s.Wheels[i].Program = s.Wheels[i].SHA256
	}
	return s
}

// Pinned returns where the store has a helper program for a machine, and the digest that it
// must have. Its Path is "" for a program that reconcile does not provide there.
func Pinned(name, store string, host facts.Host) facts.Tool {
	var s Spec
	switch name {
	case "uv":
		s = UV()
	case "rattler":
		s = Rattler()
	}
	if w, ok := s.wheel(host); ok {
		return s.installed(w, store, host.Platform)
	}
	return facts.Tool{Name: name}
}

func pinned(name string, text []byte) Spec {
	var doc struct {
		Format  int     `json:"format"`
		Source  string  `json:"source"`
		Version string  `json:"version"`
		Minimum string  `json:"minimum"`
		Wheels  []Wheel `json:"wheels"`
	}
	if err := json.Unmarshal(text, &doc); err != nil || doc.Format != 1 {
		panic(fmt.Sprintf("%s.json, embedded in this program: format %d: %v", name, doc.Format, err))
	}
	return Spec{Name: name, Version: doc.Version, Minimum: doc.Minimum, Wheels: doc.Wheels}
}
