// Package tool makes sure that there is a helper program, such as uv: it takes
// what the machine has when it is new enough, and otherwise installs a pinned,
// hashed wheel below .reconcile/tools.
package tool

import "github.com/reconcile-ml/reconcile/pkg/lock"

// Spec asks for one helper program.
type Spec struct {
	Name    string       `json:"name"`    // "uv"
	Version string       `json:"version"` // of the pinned wheel
	Minimum string       `json:"minimum"` // the oldest that is taken from the machine
	Python  string       `json:"python"`  // line of the interpreter whose pip installs the wheel
	Wheels  []lock.Wheel `json:"wheels"`  // one or more a platform
}
