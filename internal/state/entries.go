package state

import (
	"bytes"
	"encoding/hex"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Every plan reads the journal, and most of a journal is entries. This reader accepts
// them as encode writes them: fields in one order, no space, strings without escapes.
// Everything else is left to encoding/json. With encoding/json alone a whole plan takes
// 28 % more CPU time for 10,000 resources (0.31 s, not 0.24 s, and 58 MiB, not 45 MiB)
// and 34 % more for 100,000 (3.3 s, not 2.5 s, and 438 MiB, not 313 MiB).

// cutEntries parses the list of entries in the text of a line. It returns the text with
// an empty list in its place, or false if the list has another form.
func cutEntries(text []byte) (rest []byte, list []Entry, ok bool) {
	const field = `"done":[`
	begin := bytes.Index(text, []byte(field))
	if begin < 0 {
		return nil, nil, false
	}
	r := reader{text: text, at: begin + len(field)}
	var last Entry
	for {
		e, ok := r.entry(last)
		if !ok {
			return nil, nil, false
		}
		list = append(list, e)
		last = e
		if r.skip("]") {
			break
		}
		if !r.skip(",") {
			return nil, nil, false
		}
	}
	rest = append(append([]byte(nil), text[:begin+len(field)-1]...), "[]"...)
	return append(rest, text[r.at:]...), list, true
}

// reader parses the restricted JSON.
type reader struct {
	text []byte
	at   int
}

// skip consumes a word if it is next.
func (r *reader) skip(word string) bool {
	if !bytes.HasPrefix(r.text[r.at:], []byte(word)) {
		return false
	}
	r.at += len(word)
	return true
}

// quoted returns the text up to the next quote; false if it has escapes.
func (r *reader) quoted() ([]byte, bool) {
	for i := r.at; i < len(r.text); i++ {
		switch c := r.text[i]; {
		case c == '"':
			b := r.text[r.at:i]
			r.at = i + 1
			return b, true
		case c == '\\' || c < 0x20 || c >= 0x80:
			return nil, false
		}
	}
	return nil, false
}

// field returns the value of a field if that is next: `,"name":"value"`; nil if it is
// not.
func (r *reader) field(name string) (value []byte, ok bool) {
	if !r.skip(name) {
		return nil, true
	}
	value, ok = r.quoted()
	return value, ok && len(value) > 0
}

// digest reads a field with a SHA-256.
func (r *reader) digest(name string) (d facts.SHA256, ok bool) {
	b, ok := r.field(name)
	if !ok || b == nil {
		return d, ok
	}
	if len(b) != 2*len(d) {
		return d, false
	}
	_, err := hex.Decode(d[:], b)
	return d, err == nil
}

// entry reads one entry. Strings equal to those of the last entry, or repeated within
// the entry, are allocated once.
func (r *reader) entry(last Entry) (e Entry, ok bool) {
	addr, ok1 := r.field(`{"addr":"`)
	key, ok2 := r.field(`,"key":"`)
	owner, ok3 := r.field(`,"ownership":"`)
	action, ok4 := r.field(`,"action":"`)
	spec, ok5 := r.digest(`,"spec":"`)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || addr == nil || key == nil || owner == nil {
		return e, false
	}
	kind, name, cut := bytes.Cut(addr, []byte("."))
	sort, keyName, colon := bytes.Cut(key, []byte(":"))
	if !cut || !colon || len(kind) == 0 || len(name) == 0 {
		return e, false
	}
	e.Addr = resources.Addr{Kind: intern(kind, last.Addr.Kind), Name: string(name)}
	e.Key = facts.Key{Kind: facts.Kind(intern(sort, string(last.Key.Kind))), Name: intern(keyName, e.Addr.Name)}
	e.Ownership = Ownership(intern(owner, string(last.Ownership)))
	e.Action, e.Spec = resources.Action(intern(action, string(last.Action))), spec
	if r.skip(`,"left":{`) {
		if e.Left, ok = r.left(e.Key.Name, last.Left); !ok {
			return e, false
		}
	}
	e.Kept, ok1 = r.digest(`,"kept":"`)
	e.Protect = r.skip(`,"protect":true`)
	time, ok2 := r.field(`,"time":"`)
	e.Time = intern(time, last.Time)
	return e, ok1 && ok2 && r.skip("}")
}

// left reads the value of the field left after its brace.
func (r *reader) left(path string, last Left) (l Left, ok bool) {
	at, ok1 := r.field(`"path":"`)
	kind, ok2 := r.field(`,"type":"`)
	sum, ok3 := r.digest(`,"sha256":"`)
	target, ok4 := r.field(`,"target":"`)
	l = Left{Path: intern(at, path), Type: facts.PathType(intern(kind, string(last.Type))), SHA256: sum, Target: string(target)}
	return l, ok1 && ok2 && ok3 && ok4 && at != nil && r.skip("}")
}

// intern returns b as a string: known, if they are equal.
func intern(b []byte, known string) string {
	if string(b) == known {
		return known
	}
	return string(b)
}
