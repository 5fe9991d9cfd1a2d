// Package python makes sure that there is an interpreter of a line of Python: it
// takes what the machine has, and otherwise puts a pinned build below
// .reconcile/tools.
package python

import "github.com/reconcile-ml/reconcile/pkg/facts"

// Spec asks for a usable interpreter of one line.
type Spec struct {
	Line   string  `json:"line"`   // "3.10"
	Builds []Build `json:"builds"` // what may be fetched, most wanted first, of all platforms
}

// A Build is a relocatable interpreter that can be fetched.
type Build struct {
	Version  string       `json:"version"`  // "3.10.21"
	Platform string       `json:"platform"` // "linux-x86_64"
	URLs     []string     `json:"urls"`
	SHA256   facts.SHA256 `json:"sha256"`
	Size     int64        `json:"size,omitempty"` // bytes of the archive
	Unpacked int64        `json:"unpacked,omitempty"`
}
