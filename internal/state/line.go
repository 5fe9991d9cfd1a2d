package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// line is one event of the journal. Apply fills one or two of the lists; a compaction
// several.
type line struct {
	Seq     uint64 `json:"seq"`
	Lineage string `json:"lineage"`
	Kind    kind   `json:"kind"`
	Time    string `json:"time,omitempty"` // RFC 3339, informative only

	Version      int              `json:"version,omitempty"` // header only
	Intents      []Intent         `json:"intents,omitempty"`
	Done         []Entry          `json:"done,omitempty"`
	Failed       []Failure        `json:"failed,omitempty"`
	Switched     []Switch         `json:"switched,omitempty"`
	Forgotten    []resources.Addr `json:"forgotten,omitempty"`
	AppliedPlans []AppliedPlan    `json:"begun,omitempty"`
}

// kind is the type of a line.
type kind string

const (
	kindHeader     kind = "header"
	kindIntent     kind = "intent"
	kindDone       kind = "done"
	kindFailed     kind = "failed"
	kindSwitched   kind = "switched"
	kindForgotten  kind = "forgotten"
	kindPlan       kind = "begun"
	kindCompaction kind = "compaction"
)

// A Failure is an item whose steps did not complete.
type Failure struct {
	Addr resources.Addr `json:"addr"`
	Code string         `json:"code,omitempty"` // of the problem
}

// sum is the checksum of a line and all lines before it.
type sum [16]byte

// sumField ends every line: ,"sum":"32 hex digits"}
const (
	sumField = `,"sum":"`
	sumSize  = len(sumField) + 2*len(sum{}) + len(`"}`)
)

// encode returns the text of a line, newline included, and its checksum.
func (l *line) encode(before sum) ([]byte, sum, error) {
	b, err := json.Marshal(l)
	if err != nil {
		return nil, sum{}, fmt.Errorf("encode a line of the state file: %w", err)
	}
	b = b[:len(b)-1] // the closing brace comes after the checksum
	s := chain(before, b)
	b = append(b, sumField...)
	b = hex.AppendEncode(b, s[:])
	return append(b, "\"}\n"...), s, nil
}

func chain(before sum, body []byte) sum {
	h := sha256.New()
	h.Write(before[:])
	h.Write(body)
	return sum(h.Sum(nil)[:len(sum{})])
}

// errLine is the error of a line with a wrong checksum.
var errLine = errors.New("the checksum does not match")

// decode parses a line without its newline.
func decode(text []byte, before sum) (*line, sum, error) {
	if len(text) < sumSize {
		return nil, sum{}, errLine
	}
	body, end := text[:len(text)-sumSize], text[len(text)-sumSize:]
	s := chain(before, body)
	if string(end) != sumField+hex.EncodeToString(s[:])+`"}` {
		return nil, sum{}, errLine
	}
	rest, done, plain := cutEntries(body)
	if !plain || bytes.Contains(rest, []byte(`"done":[{`)) {
		rest, plain = bytes.Clone(body), false
	}
	d := json.NewDecoder(bytes.NewReader(append(rest, '}')))
	d.DisallowUnknownFields()
	var l line
	if err := d.Decode(&l); err != nil {
		return nil, sum{}, err
	}
	if plain {
		l.Done = done
	}
	return &l, s, nil
}
