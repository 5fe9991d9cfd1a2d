package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// A Digest identifies content: its sha256, or the sha1 of its git blob. The zero value is
// no digest.
type Digest struct {
	Git bool
	Hex string // 64 digits, or 40 for git
}

// String returns a form such as "sha256:9f86…".
func (d Digest) String() string {
	if d.Git {
		return "git:" + d.Hex
	}
	return "sha256:" + d.Hex
}

// short returns a form for messages, such as "sha256 9f86d081884c…".
func (d Digest) short() string {
	kind := "sha256"
	if d.Git {
		kind = "git sha1"
	}
	return kind + " " + d.Hex[:12] + "…"
}

// blobDigest returns the digest that names a blob, or the zero value for other names.
func blobDigest(name string) Digest {
	if isHex(name, 64) || isHex(name, 40) {
		return Digest{Git: len(name) == 40, Hex: name}
	}
	return Digest{}
}

// hashBuffer is the size of one read in bytes: large enough to hide the cost of the system
// call, small enough for the second-level cache.
const hashBuffer = 512 << 10

// A hasher hashes files one after the other with one buffer.
type hasher struct {
	buf []byte
	add func(n int64) // receives the bytes hashed
}

// sum returns the digest of a file, of kind git or sha256, and the state of the file before
// and after it was read.
func (h *hasher) sum(ctx context.Context, name string, git bool) (d Digest, before, after fileID, err error) {
	f, before, err := openRegular(name)
	if err != nil {
		return d, before, after, err
	}
	defer f.Close()
	if h.buf == nil {
		h.buf = make([]byte, hashBuffer)
	}
	var state hash.Hash
	if git {
		state = sha1.New()
		fmt.Fprintf(state, "blob %d\x00", before.size)
	} else {
		state = sha256.New()
	}
	for {
		n, err := f.Read(h.buf)
		state.Write(h.buf[:n])
		h.add(int64(n))
		if err == io.EOF {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return d, before, after, err
		}
	}
	after, err = stat(f)
	return Digest{git, hex.EncodeToString(state.Sum(nil))}, before, after, err
}
