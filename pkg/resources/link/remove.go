package link

import "github.com/reconcile-ml/reconcile/pkg/resources"

// Removal takes the link away if it leads where it was left to lead.
func (s *Spec) Removal(w resources.Recorded) resources.Spec {
	return &resources.RemovePath{Recorded: w}
}

// MovedFrom renames what stood at another place.
func (s *Spec) MovedFrom(w resources.Recorded) resources.Spec {
	return &resources.MovePath{Spec: s, From: w}
}
