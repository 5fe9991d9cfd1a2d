package pyenv

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"path"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A RecordEntry is one line of a RECORD: a file of a distribution.
type RecordEntry struct {
	Path    string       // relative to the environment, clean: "lib/python3.10/site-packages/bs4/dammit.py"
	SHA256  facts.SHA256 // zero unless HasHash is set and Algorithm is ""
	HasHash bool         // false for RECORD itself and bytecode
	Size    int64        // bytes; -1 if not recorded
	// Algorithm is "" for sha256, else "sha384" or "sha512" with the digest in Sum. The
	// standard allows these three.
	Algorithm string
	Sum       string
}

// ParseRecord returns the entries of a RECORD file. base is the site-packages folder
// relative to the environment. A malformed line, an unknown digest algorithm, and a path
// that is absolute or leads out of the environment are errors that end the sequence.
//
// pip and uv record the digests of the scripts that they rewrite, so that only RECORD,
// signatures and bytecode have none.
func ParseRecord(b []byte, base string) iter.Seq2[RecordEntry, error] {
	return func(yield func(RecordEntry, error) bool) {
		for line := 1; len(b) > 0; line++ {
			row, rest, err := cutRow(b)
			b = rest
			if err == nil && row.empty() {
				continue
			}
			var e RecordEntry
			if err == nil {
				e, err = row.entry(base)
			}
			if err != nil {
				yield(RecordEntry{}, fmt.Errorf("line %d: %w", line, err))
				return
			}
			if !bytes.HasSuffix(row.path, []byte("/")) && !yield(e, nil) { // directories have no content
				return
			}
		}
	}
}

// A row is the three fields of a line, with the path unquoted.
type row struct{ path, hash, size []byte }

func (r *row) empty() bool { return len(r.path) == 0 && len(r.hash) == 0 && len(r.size) == 0 }

// cutRow returns the first line of a CSV text and the rest.
func cutRow(b []byte) (r row, rest []byte, err error) {
	if b[0] == '"' {
		r.path, b, err = cutQuoted(b)
		if err != nil {
			return r, nil, err
		}
		if len(b) == 0 || b[0] != ',' {
			return r, nil, fmt.Errorf("no comma after a quoted name")
		}
		b = b[1:]
	} else {
		i := bytes.IndexAny(b, ",\n")
		if i < 0 || b[i] == '\n' {
			line, after, _ := bytes.Cut(b, []byte("\n"))
			if len(bytes.TrimSpace(line)) == 0 {
				return r, after, nil
			}
			return r, nil, fmt.Errorf("%.80q has one field, not three", line)
		}
		r.path, b = b[:i], b[i+1:]
	}
	line, rest, _ := bytes.Cut(b, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	hash, size, ok := bytes.Cut(line, []byte(","))
	if !ok || bytes.IndexByte(size, ',') >= 0 {
		return r, nil, fmt.Errorf("%.80q does not have three fields", r.path)
	}
	r.hash, r.size = bytes.Trim(hash, `"`), bytes.Trim(size, `"`)
	return r, rest, nil
}

// cutQuoted returns the quoted field at the beginning of b, with doubled quotes
// replaced, and the rest.
func cutQuoted(b []byte) (field, rest []byte, err error) {
	for i := 1; i < len(b); i++ {
		if b[i] != '"' {
			continue
		}
		if i+1 < len(b) && b[i+1] == '"' {
			i++
			continue
		}
		return bytes.ReplaceAll(b[1:i], []byte(`""`), []byte(`"`)), b[i+1:], nil
	}
	return nil, nil, fmt.Errorf("a quoted name does not end")
}

var errDigestLength = errors.New("wrong length")

func (r *row) entry(base string) (RecordEntry, error) {
	e := RecordEntry{Size: -1}
	var err error
	if e.Path, err = recordPath(base, r.path); err != nil {
		return e, err
	}
	if len(r.size) > 0 {
		if e.Size, err = strconv.ParseInt(string(r.size), 10, 64); err != nil || e.Size < 0 {
			return e, fmt.Errorf("%.80q has the size %.20q", r.path, r.size)
		}
	}
	if len(r.hash) == 0 {
		return e, nil
	}
	algorithm, digest, _ := bytes.Cut(r.hash, []byte("="))
	digest = bytes.TrimRight(digest, "=")
	e.HasHash = true
	switch string(algorithm) {
	case "sha256":
		err = errDigestLength
		if base64.RawURLEncoding.DecodedLen(len(digest)) == len(e.SHA256) {
			_, err = base64.RawURLEncoding.Decode(e.SHA256[:], digest)
		}
	case "sha384":
		e.Algorithm = "sha384"
		e.Sum, err = decodeSum(digest, 48)
	case "sha512":
		e.Algorithm = "sha512"
		e.Sum, err = decodeSum(digest, 64)
	default:
		return e, fmt.Errorf("%.80q has a digest of the unknown algorithm %.20q", r.path, algorithm)
	}
	if err != nil {
		return e, fmt.Errorf("%.80q has the digest %.80q: %w", r.path, r.hash, err)
	}
	return e, nil
}

func decodeSum(digest []byte, size int) (string, error) {
	sum, err := base64.RawURLEncoding.AppendDecode(nil, digest)
	if err == nil && len(sum) != size {
		err = errDigestLength
	}
	return string(sum), err
}

// recordPath returns the path of an entry relative to the environment.
func recordPath(base string, name []byte) (string, error) {
	switch {
	case len(name) == 0:
		return "", fmt.Errorf("an entry has no name")
	case name[0] == '/':
		return "", fmt.Errorf("%.80q is absolute", name)
	case bytes.IndexByte(name, 0) >= 0:
		return "", fmt.Errorf("%.80q contains a zero byte", name)
	}
	joined := base + "/" + string(name)
	if isClean(name) {
		return joined, nil
	}
	cleaned := path.Clean(joined)
	if cleaned == ".." || strings.HasPrefix(cleaned, "../") || cleaned == "." {
		return "", fmt.Errorf("%.80q leads out of the environment", name)
	}
	return cleaned, nil
}

// isClean reports whether a relative path is clean. It may return false for one that is.
func isClean(name []byte) bool {
	return name[0] != '.' && !bytes.Contains(name, []byte("//")) && !bytes.Contains(name, []byte("/.")) && name[len(name)-1] != '/'
}
