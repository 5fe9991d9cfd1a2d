// Package venv manages Python environments of type venv: generations that are
// built aside, proved, sealed, and then made visible by one rename.
package venv

import (
	"github.com/reconcile-ml/reconcile/pkg/diag"
	"github.com/reconcile-ml/reconcile/pkg/lock"
)

// Spec is the desired state of one environment.
type Spec struct {
	Name      string        `json:"name"`              // of the environment: "local"
	Path      string        `json:"path"`              // visible place: ".venv"
	Python    string        `json:"python"`            // line: "3.10"
	Prompt    string        `json:"prompt"`            // shown by activate
	Installer string        `json:"installer"`         // "auto" (uv, where there is one or its wheel is pinned for this platform; else pip), "uv", "pip"
	Closure   []lock.Dist   `json:"closure"`           // locked for this platform, by name
	Imports   []string      `json:"imports"`           // proved before the environment becomes visible
	Problem   *diag.Problem `json:"problem,omitempty"` // why there is no closure: the lock is absent or stale
}
