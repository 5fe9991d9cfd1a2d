package file

import "github.com/reconcile-ml/reconcile/pkg/resources"

// Removal takes the file away if it is as it was left.
func (s *Spec) Removal(w resources.Recorded) resources.Spec {
	return &resources.RemovePath{Recorded: w}
}

// MovedFrom renames what stood at another place.
func (s *Spec) MovedFrom(w resources.Recorded) resources.Spec {
	return &resources.MovePath{Spec: s, From: w}
}
