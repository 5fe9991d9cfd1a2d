package hub

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// digestsHeader is the first line of a file of Digests.
	digestsHeader = "reconcile digests 1"
	// maxDigests bounds the number of files; the oldest are dropped.
	maxDigests = 20_000
	// DigestsLimit bounds the size of a file of Digests, in bytes.
	DigestsLimit = 8 << 20
	// tick is the coarsest time stamp of a file system with fractions of a second, coarse
	// that of one with whole seconds (FAT has two).
	tick, coarse = 20 * time.Millisecond, 2 * time.Second
)

// Digests is a cache of the digests of files. Without it, every file is hashed again. It is
// safe for concurrent use.
//
// A file is identified by device, inode, size, mtime and ctime (which nothing can set). As in
// git's index, a file whose times are not older than the moment it was hashed is not
// trusted, because a write in the same tick of the clock would not show.
type Digests struct {
	mu    sync.Mutex
	known map[inode]hashedFile
	fresh map[inode]hashedFile // hashed in this run: trusted regardless of the clock
}

type inode struct{ dev, ino uint64 }

func (id fileID) inode() inode { return inode{id.dev, id.ino} }

type hashedFile struct {
	id     fileID
	digest Digest
	at     int64 // nanoseconds, taken before the file was read
}

// NewDigests returns an empty cache.
func NewDigests() *Digests {
	return &Digests{known: map[inode]hashedFile{}, fresh: map[inode]hashedFile{}}
}

// ParseDigests parses the output of Encode. It skips lines that are malformed or dated
// after now.
func ParseDigests(b []byte, now time.Time) *Digests {
	d := NewDigests()
	head, rest, _ := bytes.Cut(b[:min(len(b), DigestsLimit)], []byte("\n"))
	if string(head) != digestsHeader {
		return d
	}
	for line := range bytes.Lines(rest) {
		f, ok := parseHashedFile(line)
		if ok && f.at <= now.UnixNano() && f.at > d.known[f.id.inode()].at && len(d.known) < maxDigests {
			d.known[f.id.inode()] = f
		}
	}
	return d
}

func parseHashedFile(line []byte) (f hashedFile, ok bool) {
	text, complete := strings.CutSuffix(string(line), "\n")
	fields := strings.Split(text, " ")
	if !complete || len(fields) != 7 {
		return f, false
	}
	dev, err1 := strconv.ParseUint(fields[0], 10, 64)
	ino, err2 := strconv.ParseUint(fields[1], 10, 64)
	var n [4]int64
	for i := range n {
		v, err := strconv.ParseInt(fields[2+i], 10, 64)
		if err != nil || v < 0 {
			return f, false
		}
		n[i] = v
	}
	_, digits, _ := strings.Cut(fields[6], ":")
	f = hashedFile{fileID{dev, ino, n[0], n[1], n[2]}, blobDigest(digits), n[3]}
	return f, err1 == nil && err2 == nil && f.digest != (Digest{}) && fields[6] == f.digest.String()
}

// Encode returns the cache as a file, newest first, merged with the present content of that
// file so that two runs at once keep each other's work.
func (d *Digests) Encode(inFile *Digests) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := maps.Clone(inFile.known)
	for _, mine := range []map[inode]hashedFile{d.known, d.fresh} {
		for at, f := range mine {
			if f.at >= all[at].at {
				all[at] = f
			}
		}
	}
	list := slices.SortedFunc(maps.Values(all), func(a, b hashedFile) int {
		return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(a.id.dev, b.id.dev), cmp.Compare(a.id.ino, b.id.ino))
	})
	var out bytes.Buffer
	out.WriteString(digestsHeader + "\n")
	for _, f := range list[:min(len(list), maxDigests)] {
		fmt.Fprintf(&out, "%d %d %d %d %d %d %s\n", f.id.dev, f.id.ino, f.id.size, f.id.mtime, f.id.ctime, f.at, f.digest)
	}
	return out.Bytes()
}

// lookup returns the digest of an unchanged file. d may be nil.
func (d *Digests) lookup(id fileID, git bool) (f hashedFile, ok bool) {
	if d == nil {
		return f, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if f, ok = d.fresh[id.inode()]; !ok {
		f, ok = d.known[id.inode()]
		ok = ok && f.isSettled()
	}
	return f, ok && f.id == id && f.digest.Git == git
}

// isSettled reports whether the file was older than a tick when it was hashed.
func (f hashedFile) isSettled() bool {
	least := tick
	if f.id.mtime%int64(time.Second) == 0 && f.id.ctime%int64(time.Second) == 0 {
		least = coarse
	}
	return f.at-max(f.id.mtime, f.id.ctime) > int64(least)
}

// record adds a file that was hashed in this run.
func (d *Digests) record(id fileID, digest Digest, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fresh[id.inode()] = hashedFile{id, digest, at.UnixNano()}
}
