// Package file manages one regular file: its whole content and, if the manifest sets one,
// its mode.
package file

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Kind is the kind "file".
var Kind = resources.Kind{Name: "file", New: func() resources.Spec { return &Spec{} }}

// defaultMode is the mode of a new file if the manifest sets none.
const defaultMode facts.Mode = 0o644

// Spec is the desired state of one file. Content must not change after the first call of
// Diff or Digest.
type Spec struct {
	Path    string     `json:"path"`
	Mode    facts.Mode `json:"mode,omitempty"` // 0: 0644 for a new file, any for an existing one
	Content string     `json:"content"`

	once   sync.Once
	digest facts.SHA256
}

// Digest returns the SHA-256 of Content, computed once. It is safe for concurrent use.
func (s *Spec) Digest() facts.SHA256 {
	s.once.Do(func() { s.digest = sha256.Sum256([]byte(s.Content)) })
	return s.digest
}

// Owns returns the key of the path.
func (s *Spec) Owns() facts.Key { return facts.PathKey(s.Path) }

// Reads returns the path.
func (s *Spec) Reads() []facts.Key { return []facts.Key{s.Owns()} }

// Diff compares the content by digest, then the mode.
func (s *Spec) Diff(v facts.View) resources.Change {
	actual := facts.Get[facts.Path](v, s.Owns())
	if actual.Type == facts.Regular && actual.Parent == "" && actual.SHA256 == s.Digest() {
		if s.Mode == 0 || s.Mode == actual.Mode {
			return resources.Change{}
		}
		return resources.SetPathMode(actual, s.Mode)
	}
	if p := resources.PathProblem(actual, facts.Regular); p != nil {
		return resources.Block(p)
	}
	if actual.Type == facts.Regular && actual.SHA256.IsZero() {
		return resources.Block(&diag.Problem{
			Code:    "file.too-large",
			Summary: fmt.Sprintf("%q differs, and is too large to be replaced", s.Path),
			Found:   resources.DescribePath(actual),
			Hint:    fmt.Sprintf("move it away: `mv %s`", resources.ShellJoin(s.Path, s.Path+".old")),
		})
	}
	return s.write(actual)
}

// Recreate writes the file again, whatever its content. Without a mode in the manifest it
// keeps the existing mode.
func (s *Spec) Recreate(v facts.View) resources.Change {
	actual := facts.Get[facts.Path](v, s.Owns())
	c := s.write(actual)
	if actual.SHA256 == s.Digest() {
		c.Fields = slices.DeleteFunc(c.Fields, func(f resources.Field) bool { return f.Path == "content" })
	}
	c.Action, c.Summary = resources.Replace, "written again, because of --replace"
	return c
}

// Removal removes the file if it is unchanged.
func (s *Spec) Removal(r resources.Recorded) resources.Spec {
	return &resources.RemovePath{Recorded: r}
}

// MovedFrom renames the file from its previous path.
func (s *Spec) MovedFrom(r resources.Recorded) resources.Spec {
	return &resources.MovePath{Spec: s, From: r}
}

// write creates the file or replaces its content.
func (s *Spec) write(actual facts.Path) resources.Change {
	action, existingMode := resources.Create, facts.Mode(0)
	var content, mode string
	if actual.Type == facts.Regular {
		action, existingMode = resources.Update, actual.Mode
		content, mode = describe(actual.Size, actual.SHA256), actual.Mode.String()
	}
	desiredMode, size := cmp.Or(s.Mode, existingMode, defaultMode), int64(len(s.Content))
	fields := []resources.Field{{Path: "content", Actual: content, Desired: describe(size, s.Digest())}}
	if mode != desiredMode.String() {
		fields = append(fields, resources.Field{Path: "mode", Actual: mode, Desired: desiredMode.String()})
	}
	return resources.Change{
		Action: action,
		Fields: fields,
		Steps:  []resources.Step{resources.WriteFile{Path: s.Path, Mode: desiredMode, Content: s.Content, Replaces: actual.SHA256}},
		Predicts: []facts.Fact{facts.Path{
			Path: s.Path, Type: facts.Regular, Mode: desiredMode, Size: size, SHA256: s.Digest(),
		}},
		Need: resources.Need{Disk: size},
	}
}

// describe describes a content: "120 B, sha256 1f2e3d4c5b6a".
func describe(size int64, digest facts.SHA256) string {
	return bytesize.Format(size) + ", sha256 " + digest.String()[:12]
}
