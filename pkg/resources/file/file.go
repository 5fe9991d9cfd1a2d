// Package file manages one regular file: its whole content, and its mode where
// the manifest asks for one. Owner, links and everything beside it are left
// alone.
package file

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// defaultMode is that of a file that is made without being asked for one.
const defaultMode facts.Mode = 0o644

// Kind is the kind "file".
var Kind = resources.Kind{Name: "file", Doc: doc, New: func() resources.Spec { return &Spec{} }, Codes: codes}

const doc = `One regular file: its whole content, and its mode where the manifest asks for one.

| field | meaning |
|---|---|
| ` + "`path`" + ` | the file; its missing parents are made too |
| ` + "`mode`" + ` | permission bits, such as ` + "`0755`" + `. Without it a new file gets 0644 and one that is there keeps its mode |
| ` + "`content`" + ` | every byte of the file, as rendered from the manifest |

The content is compared by SHA-256. A file that differs is replaced in one rename,
after the plan has shown what changes; its old content is kept below
` + "`.reconcile`" + `. If it changes again between plan and apply, apply stops. A
directory, link or device in its place blocks the resource, and so does a file of
more than 64 MiB: the user moves it away.
`

// Spec is the desired state of one file. Do not change Content once Diff or
// Digest was called.
type Spec struct {
	Path    string     `json:"path"`
	Mode    facts.Mode `json:"mode,omitempty"` // 0: 0644 for a new one, any for one that is there
	Content string     `json:"content"`

	once   sync.Once
	digest facts.SHA256
}

// Digest returns the SHA-256 of Content, computed once. Any goroutine may call it.
func (s *Spec) Digest() facts.SHA256 {
	s.once.Do(func() {
		s.digest = sha256.Sum256([]byte(s.Content))
	})
	return s.digest
}

// Owns is the path.
func (s *Spec) Owns() facts.Key { return facts.PathKey(s.Path) }

// Reads is the path alone.
func (s *Spec) Reads() []facts.Key { return []facts.Key{s.Owns()} }

// Diff compares content by digest, then mode.
func (s *Spec) Diff(v facts.View) resources.Change {
	actual := facts.Get[facts.Path](v, s.Owns())
	if actual.Type == facts.Regular && actual.Parent == "" && actual.SHA256 == s.Digest() {
		return s.diffMode(actual)
	}
	if p := resources.PathProblem(actual, facts.Regular); p != nil {
		return resources.Block(p)
	}
	if actual.Type == facts.Regular && actual.SHA256.IsZero() {
		return resources.Block(s.tooLarge(actual))
	}
	return s.write(actual)
}

// diffMode sets the mode of a file whose content agrees.
func (s *Spec) diffMode(actual facts.Path) resources.Change {
	if s.Mode == 0 || s.Mode == actual.Mode {
		return resources.Change{}
	}
	predicted := actual
	predicted.Mode = s.Mode
	return resources.Change{
		Action:   resources.Update,
		Fields:   []resources.Field{{Path: "mode", Actual: actual.Mode.String(), Desired: s.Mode.String()}},
		Steps:    []resources.Step{resources.SetMode{Path: s.Path, Mode: s.Mode}},
		Predicts: []facts.Fact{predicted},
	}
}

// write puts the content in place of nothing, or of the file that is there.
func (s *Spec) write(actual facts.Path) resources.Change {
	mode, action := s.Mode, resources.Create
	var was, wasMode string
	if actual.Type == facts.Regular {
		action = resources.Update
		was, wasMode = describe(actual.Size, actual.SHA256), actual.Mode.String()
		if mode == 0 {
			mode = actual.Mode
		}
	}
	if mode == 0 {
		mode = defaultMode
	}
	size := int64(len(s.Content))
	fields := []resources.Field{{Path: "content", Actual: was, Desired: describe(size, s.Digest())}}
	if wasMode != mode.String() {
		fields = append(fields, resources.Field{Path: "mode", Actual: wasMode, Desired: mode.String()})
	}
	return resources.Change{
		Action: action,
		Fields: fields,
		Steps:  []resources.Step{resources.WriteFile{Path: s.Path, Mode: mode, Content: s.Content, Replaces: actual.SHA256}},
		Predicts: []facts.Fact{facts.Path{
			Path: s.Path, Type: facts.Regular, Mode: mode, Size: size, SHA256: s.Digest(),
		}},
		Need: resources.Need{Disk: size},
	}
}

func (s *Spec) tooLarge(actual facts.Path) *diag.Problem {
	return &diag.Problem{
		Code:    "file.too-large",
		Summary: fmt.Sprintf("%q differs, and is too large to be replaced without looking at it", s.Path),
		Found:   resources.DescribePath(actual),
		Hint:    "look at it and move it away: mv " + resources.ShellJoin(s.Path, s.Path+".old"),
	}
}

// describe names a content: "120 B, sha256 1f2e3d4c5b6a".
func describe(size int64, digest facts.SHA256) string {
	return bytesize.Format(size) + ", sha256 " + digest.String()[:12]
}
