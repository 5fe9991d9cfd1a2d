// Package model checks that the project's Hugging Face cache has a model at the pinned
// revision. It downloads nothing and deletes nothing.
package model

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "model".
var Kind = resources.Kind{Name: "model", New: func() resources.Spec { return &Spec{} }}

// Spec is the required model.
type Spec struct {
	Repo     string        `json:"repo"`
	Revision string        `json:"revision"`
	Size     int64         `json:"size,omitempty"`
	Severity diag.Severity `json:"severity,omitempty"`
}

// Requirement marks the kind as a check.
func (s *Spec) Requirement() {}

// Owns returns the key of the model.
func (s *Spec) Owns() facts.Key { return facts.ModelKey(s.Repo) }

// Reads returns the model.
func (s *Spec) Reads() []facts.Key { return []facts.Key{s.Owns()} }

var _ resources.UnknownDiffer = (*Spec)(nil)

// DiffUnknown returns a warning, unless the manifest sets another severity. Facts that were
// recorded for another manifest have no models.
func (s *Spec) DiffUnknown(reason string) resources.Change {
	return resources.CheckResult("unknown: "+reason, &diag.Problem{
		Code: "model.unknown", Severity: s.Severity, Summary: "it is unknown whether the model exists",
		Found: reason, Hint: "make the directory of the models readable, or record the facts of that machine again with `reconcile facts`",
	})
}

// Diff compares the cache with the pinned revision.
func (s *Spec) Diff(v facts.View) resources.Change {
	m := facts.Get[facts.Model](v, s.Owns())
	if m.Revision != s.Revision {
		return s.DiffUnknown("the facts are of revision " + m.Revision)
	}
	summary := Summary(m)
	if m.State == facts.ModelAbsent && s.Size > 0 {
		summary += fmt.Sprintf(" (%s to download)", bytesize.Format(s.Size))
	}
	if m.State == facts.ModelComplete {
		return resources.CheckResult(summary)
	}
	p := s.problem(m)
	p.Severity = s.Severity
	return resources.CheckResult(summary, p)
}

func (s *Spec) problem(m facts.Model) *diag.Problem {
	switch m.State {
	case facts.ModelPartial:
		return &diag.Problem{
			Code: "model.partial", Summary: "the model is incomplete: " + progress(m), Found: found(m),
			Hint: "download it again, which keeps existing files: `reconcile models` prints the command",
		}
	case facts.ModelDamaged:
		fault, _ := m.Damage()
		return &diag.Problem{
			Code: "model.damaged", Summary: "the model is damaged", Found: found(m),
			Hint: Remedy(m, fault) + "; `reconcile models verify " + s.Repo + "` finds all damage",
		}
	}
	p := &diag.Problem{
		Code: "model.absent", Summary: "the pinned revision of the model is not in the cache",
		Hint: "`reconcile models` prints the download command; apply never downloads models",
	}
	if s.Size > 0 {
		p.Summary += fmt.Sprintf("; %s to download", bytesize.Format(s.Size))
	}
	if len(m.Others) > 0 {
		p.Found = fmt.Sprintf("revision %s, not %s", strings.Join(m.Others, ", "), m.Revision)
	}
	return p
}

// maxFaults is the number of faults that a plan lists.
const maxFaults = 5

// found lists the first faults, one per line.
func found(m facts.Model) string {
	var lines []string
	for i, f := range m.Faults {
		if i == maxFaults {
			lines = append(lines, fmt.Sprintf("and %d more", len(m.Faults)-i))
			break
		}
		lines = append(lines, FaultText(f))
	}
	return strings.Join(lines, "\n")
}

// FaultText describes a fault, with the name of the file.
func FaultText(f facts.ModelFault) string {
	name := cmp.Or(f.File, f.Blob)
	return strings.TrimPrefix(name+" "+f.Description(), " ")
}

// Summary returns one phrase: "complete, 16.1 GB, verified 2026-11-27", "partial: 2 of 4
// shards, 8.1 GB", "damaged: FILE …", "absent".
func Summary(m facts.Model) string {
	switch m.State {
	case facts.ModelComplete:
		return fmt.Sprintf("complete, %s, %s", bytesize.Format(m.Size()), verification(m))
	case facts.ModelPartial:
		return "partial: " + progress(m)
	case facts.ModelDamaged:
		fault, _ := m.Damage()
		fault.Detail = "" // the problem contains it
		return "damaged: " + FaultText(fault)
	}
	switch n := len(m.Others); n {
	case 0:
		return "absent"
	case 1:
		return "absent; the cache has another revision"
	default:
		return fmt.Sprintf("absent; the cache has %d other revisions", n)
	}
}

// verification describes how much of a complete model is verified.
func verification(m facts.Model) string {
	switch {
	case m.IsVerified():
		day, _, _ := strings.Cut(m.VerifiedAt, "T")
		return "verified " + day
	case m.Verified > 0:
		return fmt.Sprintf("%d of %s verified", m.Verified, plural.Count(len(m.Files), "file"))
	}
	return "not verified yet"
}

// progress describes how much of a partial model exists.
func progress(m facts.Model) string {
	size := m.Size()
	for _, u := range m.Unfinished {
		if !u.Leftover {
			size += u.Size
		}
	}
	text := bytesize.Format(size)
	switch {
	case m.Listed:
		text = fmt.Sprintf("%d of %s, %s", len(m.Files), plural.Count(m.FilesNeeded, "file"), text)
	case m.ShardsNeeded > 1:
		text = fmt.Sprintf("%d of %s, %s", m.Shards, plural.Count(m.ShardsNeeded, "shard"), text)
	case len(m.Files) == 0:
		text += " of an unfinished download"
	}
	if m.Lacking > 0 {
		text += fmt.Sprintf(", %s missing", bytesize.Format(m.Lacking))
	}
	return text
}
