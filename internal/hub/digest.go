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

// A Digest is what a content is known by: its sha256, or the sha1 that git gives it as a
// blob. The zero value is no digest.
type Digest struct {
	Git bool
	Hex string // 64 digits, or 40 of git
}

// String is such as "sha256:9f86…".
func (d Digest) String() string {
	if d.Git {
		return "git:" + d.Hex
	}
	return "sha256:" + d.Hex
}

// short is such as "sha256 9f86d081884c…", for people.
func (d Digest) short() string {
	kind := "sha256"
	if d.Git {
		kind = "git sha1"
	}
	return kind + " " + d.Hex[:12] + "…"
}

// blobDigest returns the digest that a blob is named by, the zero value for other names.
func blobDigest(name string) Digest {
	switch {
	case isHex(name, 64):
		return Digest{Hex: name}
	case isHex(name, 40):
		return Digest{Git: true, Hex: name}
	}
	return Digest{}
}

// hashBuffer is how much is read at a time, in bytes: large enough that the cost of a
// read is lost in that of hashing, small enough for the second-level cache.
const hashBuffer = 512 << 10

// A hasher hashes one file after the other with one buffer.
type hasher struct {
	buf []byte
	add func(n int64) // bytes hashed; may be nil
}

// sum returns the digest of a file, of the kind that git names or not, and how the file
// looked before and after it was read.
func (h *hasher) sum(ctx context.Context, name string, git bool) (d Digest, before, after fileID, err error) {
	f, before, err := open(name)
	if err != nil {
		return d, before, after, err
	}
	defer f.close()
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
		if h.add != nil {
			h.add(int64(n))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return d, before, after, err
		}
		if err := ctx.Err(); err != nil {
			return d, before, after, err
		}
	}
	after, err = f.stat()
	return Digest{git, hex.EncodeToString(state.Sum(nil))}, before, after, err
}
