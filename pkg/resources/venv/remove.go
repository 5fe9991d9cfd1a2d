package venv

import (
	"github.com/reconcile-ml/reconcile/internal/generation"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Removal takes the environment away, its visible place and its generations, if no
// process uses them.
func (s *Spec) Removal(w resources.Recorded) resources.Spec { return &generation.Removal{Recorded: w} }

// Place is where the environment can be seen.
func (s *Spec) Place() string { return s.Path }

// MovedFrom builds the environment from what is unchanged in the one that it was.
func (s *Spec) MovedFrom(w resources.Recorded) resources.Spec {
	moved := *s
	moved.former = w.Addr.Name
	return &moved
}
