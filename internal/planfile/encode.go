package planfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// Format identifies the files of this package, and Version their format version.
const (
	Format  = "reconcile-plan"
	Version = 1
)

// MaxSize is the maximum size of a file, in bytes.
const MaxSize = 256 << 20

type envelope struct {
	Format  string    `json:"format"`
	ID      string    `json:"id"`
	Plan    *Document `json:"plan"`
	Version int       `json:"version"`
}

// ID identifies the plan: the SHA-256 of its canonical JSON, in hexadecimal.
func (d *Document) ID() string { return fmt.Sprintf("%x", sha256.Sum256(encoded(d))) }

// Encode returns the text of a plan file: indented JSON.
func (d *Document) Encode() []byte {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetIndent("", "  ")
	if err := e.Encode(envelope{Format: Format, ID: d.ID(), Plan: d, Version: Version}); err != nil {
		panic("encode a plan: " + err.Error()) // it consists of plain structs
	}
	return text.Bytes()
}

// Decode decodes the output of Encode. It refuses a text that differs from that in any byte.
// The error is a *diag.Problem without a position.
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
			Found: fmt.Sprintf("format version %d; this program reads %d", head.Version, Version), Hint: saveAgain,
		}
	}
	var f envelope
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, damaged(err)
	}
	if f.Plan == nil || !bytes.Equal(f.Plan.Encode(), text) {
		return nil, damaged(errors.New("its content does not match its id"))
	}
	return f.Plan, nil
}

// IsPlan reports whether a text has the format of a plan file. The rest may be damaged.
func IsPlan(text []byte) bool {
	var head struct {
		Format string `json:"format"`
	}
	return json.Unmarshal(text, &head) == nil && head.Format == Format
}

const saveAgain = "save a new plan here: reconcile plan --out FILE"

func damaged(err error) error {
	return &diag.Problem{
		Code: "saved.damaged", Summary: "the file is not a saved plan, or was modified; nothing was changed",
		Found: err.Error(), Hint: saveAgain,
	}
}
