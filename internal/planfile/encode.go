package planfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// Format names the files that this package writes, and Version their form.
const (
	Format  = "reconcile-plan"
	Version = 1
)

// MaxSize is the size of the largest file that is read, in bytes.
const MaxSize = 256 << 20

// envelope is a document as it is written.
type envelope struct {
	Format  string    `json:"format"`
	ID      string    `json:"id"`
	Plan    *Document `json:"plan"`
	Version int       `json:"version"`
}

// ID identifies the plan: the SHA-256 of its canonical JSON, in hexadecimal.
func (d *Document) ID() string { return fmt.Sprintf("%x", sha256.Sum256(encoded(d))) }

// Encode returns the text of a plan file: JSON, for people on many lines.
func (d *Document) Encode() []byte {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetIndent("", "  ")
	if err := e.Encode(envelope{Format: Format, ID: d.ID(), Plan: d, Version: Version}); err != nil {
		panic("encode a plan: " + err.Error()) // it is made of plain structs
	}
	return text.Bytes()
}

// Decode reads what Encode wrote, and nothing else: a text that differs from that by a
// single byte is refused. The error is a *diag.Problem without a place.
func Decode(text []byte) (*Document, error) {
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, damaged(err)
	}
	switch {
	case head.Format != Format:
		return nil, damaged(fmt.Errorf("its format is %q, not %q", head.Format, Format))
	case head.Version > Version:
		return nil, &diag.Problem{
			Code: "saved.newer", Summary: "a newer reconcile saved this plan; nothing was changed",
			Found: fmt.Sprintf("format version %d; this program reads %d", head.Version, Version), Hint: again,
		}
	}
	var f envelope
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, damaged(err)
	}
	if f.Plan == nil || !bytes.Equal(f.Plan.Encode(), text) {
		return nil, damaged(errors.New("its content is not that of its id"))
	}
	return f.Plan, nil
}

// IsPlan reports whether a text is a plan file by its head, whatever the rest is.
func IsPlan(text []byte) bool {
	var head struct {
		Format string `json:"format"`
	}
	return json.Unmarshal(text, &head) == nil && head.Format == Format
}

// again is how one gets a plan that can be applied.
const again = "make a new one here: reconcile plan --out FILE"

func damaged(err error) error {
	return &diag.Problem{
		Code: "saved.damaged", Summary: "this is no saved plan, or not as it was saved; nothing was changed",
		Found: err.Error(), Hint: again,
	}
}
