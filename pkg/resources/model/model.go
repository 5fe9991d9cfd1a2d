// Package model checks that a model lies in the project's Hugging Face cache, at the
// revision that the manifest pins. It downloads nothing and deletes nothing.
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
var Kind = resources.Kind{Name: "model", Doc: doc, New: func() resources.Spec { return &Spec{} }, Codes: codes}

const doc = `A requirement: a model lies in the project's Hugging Face cache, at one revision. Nothing is
changed, and no model is ever downloaded: ` + "`reconcile models`" + ` tells how to get it.

| field | meaning |
|---|---|
| ` + "`repo`" + ` | the repository, OWNER/NAME |
| ` + "`revision`" + ` | the commit, 40 hexadecimal digits |
| ` + "`size`" + ` | bytes to download, as the manifest states them; 0 if it does not |
| ` + "`severity`" + ` | ` + "`warn`" + ` for a warning, which is the default of a manifest; else apply refuses before it changes anything |

A model is absent, partial (files lack that a download brings), damaged (something there is not what
it must be) or complete. A plan tells them apart by names, sizes and headers, and reads no
weights. Whether each content is what its digest says is found out by ` + "`reconcile models verify`" + `,
and remembered until a file is touched.
`

// Spec is what a cache must have.
type Spec struct {
	Repo     string        `json:"repo"`
	Revision string        `json:"revision"`
	Size     int64         `json:"size,omitempty"`
	Severity diag.Severity `json:"severity,omitempty"`
}

// Requirement marks the kind as a check: it has no steps.
func (s *Spec) Requirement() {}

// Owns is the model in the cache.
func (s *Spec) Owns() facts.Key { return facts.ModelKey(s.Repo) }

// Reads is the model alone.
func (s *Spec) Reads() []facts.Key { return []facts.Key{s.Owns()} }

var _ resources.UnknownDiffer = (*Spec)(nil)

// Unseen is the answer where nobody could look: a warning, unless the manifest asks for
// more. Facts that were recorded for another manifest have no models.
func (s *Spec) DiffUnknown(reason string) resources.Change {
	return resources.CheckResult("not known: "+reason, &diag.Problem{
		Code: "model.unknown", Severity: s.Severity, Summary: "it is not known whether the model is there",
		Found: reason, Hint: "make the folder of the models readable, or record the facts of that machine anew with `reconcile facts`",
	})
}

// Diff says how much of the model is there.
func (s *Spec) Diff(v facts.View) resources.Change {
	m := facts.Get[facts.Model](v, s.Owns())
	if m.Revision != s.Revision {
		return s.DiffUnknown("another revision was looked for, " + m.Revision)
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
			Code: "model.partial", Summary: "the model is there in part: " + share(m), Found: found(m),
			Hint: "download it again, which keeps the files that are there: `reconcile models` prints the command",
		}
	case facts.ModelDamaged:
		fault, _ := m.Damage()
		return &diag.Problem{
			Code: "model.damaged", Summary: "the model is damaged", Found: found(m),
			Hint: Remedy(m, fault) + "; `reconcile models verify " + s.Repo + "` finds all that is damaged",
		}
	}
	p := &diag.Problem{
		Code: "model.absent", Summary: "the model is not there at the pinned revision",
		Hint: "`reconcile models` tells how to get it; apply never downloads models",
	}
	if s.Size > 0 {
		p.Summary += fmt.Sprintf("; %s to download", bytesize.Format(s.Size))
	}
	if len(m.Others) > 0 {
		p.Found = fmt.Sprintf("revision %s, not %s", strings.Join(m.Others, ", "), m.Revision)
	}
	return p
}

// manyFaults is how many are listed in a plan.
const manyFaults = 5

// found lists the first faults, one a line.
func found(m facts.Model) string {
	var lines []string
	for i, f := range m.Faults {
		if i == manyFaults {
			lines = append(lines, fmt.Sprintf("and %d more", len(m.Faults)-i))
			break
		}
		lines = append(lines, Line(f))
	}
	return strings.Join(lines, "\n")
}

// Line says what is wrong, with the name of the file.
func Line(f facts.ModelFault) string {
	name := cmp.Or(f.File, f.Blob)
	return strings.TrimPrefix(name+" "+f.Description(), " ")
}

// Summary is one phrase: "complete, 16.1 GB, verified 2026-11-27", "partial: 2 of 4
// shards, 8.1 GB", "damaged: FILE …", "absent".
func Summary(m facts.Model) string {
	switch m.State {
	case facts.ModelComplete:
		return fmt.Sprintf("complete, %s, %s", bytesize.Format(m.Size()), proof(m))
	case facts.ModelPartial:
		return "partial: " + share(m)
	case facts.ModelDamaged:
		fault, _ := m.Damage()
		fault.Detail = "" // stands with the problem
		return "damaged: " + Line(fault)
	}
	switch n := len(m.Others); n {
	case 0:
		return "absent"
	case 1:
		return "absent; another revision is there"
	default:
		return fmt.Sprintf("absent; %d other revisions are there", n)
	}
}

// proof is what is known of the contents of a complete model.
func proof(m facts.Model) string {
	switch {
	case m.IsVerified():
		day, _, _ := strings.Cut(m.VerifiedAt, "T")
		return "verified " + day
	case m.Verified > 0:
		return fmt.Sprintf("%d of %s verified", m.Verified, plural.Count(len(m.Files), "file"))
	}
	return "not verified yet"
}

// share is how much of a partial model is there.
func share(m facts.Model) string {
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
		text += " of a download that did not end"
	}
	if m.Lacking > 0 {
		text += fmt.Sprintf(", %s lacking", bytesize.Format(m.Lacking))
	}
	return text
}
