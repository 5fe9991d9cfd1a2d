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
	// memoryHead is the first line of the file that Digests are kept in.
	digestsHeader = "reconcile digests 1"
	// maxDigests bounds how many files are remembered; the oldest are forgotten.
	maxDigests = 20_000
	// MemoryLimit is the most that is read of a file of Digests, in bytes.
	DigestsLimit = 8 << 20
	// tick is the coarsest time stamp of a file system that counts parts of a second,
	// coarse that of one that does not (FAT has two seconds).
	tick, coarse = 20 * time.Millisecond, 2 * time.Second
)

// Digests remembers which files were hashed and how they looked then. It is a memory
// and no more: without it everything is hashed again. It is safe for concurrent use.
//
// A file is known by device, inode, size, and the times of its last write (mtime) and of
// its last change (ctime, which nobody can set). As in git's index, a file whose times are
// not older than the moment it was hashed is not trusted, since a write in the same tick
// of the clock would not show.
type Digests struct {
	mu    sync.Mutex
	known map[inode]hashedFile
	fresh map[inode]hashedFile // of this run: trusted whatever the clock says
}

type inode struct{ dev, ino uint64 }

type hashedFile struct {
	id     fileID
	digest Digest
	at     int64 // nanoseconds: before the file was read
}

// NewDigests returns an empty memory.
func NewDigests() *Digests {
	return &Digests{known: map[inode]hashedFile{}, fresh: map[inode]hashedFile{}}
}

// ParseDigests reads what Encode wrote. A line that is not understood, or comes from the
// future, is left out.
func ParseDigests(b []byte, now time.Time) *Digests {
	d := NewDigests()
	head, rest, _ := bytes.Cut(b[:min(len(b), DigestsLimit)], []byte("\n"))
	if string(head) != digestsHeader {
		return d
	}
	for line := range bytes.Lines(rest) {
		r, ok := parseHashedFile(line)
		at := inode{r.id.dev, r.id.ino}
		if ok && r.at <= now.UnixNano() && r.at > d.known[at].at && len(d.known) < maxDigests {
			d.known[at] = r
		}
	}
	return d
}

func parseHashedFile(line []byte) (r hashedFile, ok bool) {
	text, whole := strings.CutSuffix(string(line), "\n")
	fields := strings.Split(text, " ")
	if !whole || len(fields) != 7 {
		return r, false
	}
	dev, err1 := strconv.ParseUint(fields[0], 10, 64)
	ino, err2 := strconv.ParseUint(fields[1], 10, 64)
	var n [4]int64
	for i := range n {
		v, err := strconv.ParseInt(fields[2+i], 10, 64)
		if err != nil || v < 0 {
			return r, false
		}
		n[i] = v
	}
	kind, digits, cut := strings.Cut(fields[6], ":")
	r = hashedFile{fileID{dev, ino, n[0], n[1], n[2]}, blobDigest(digits), n[3]}
	ok = err1 == nil && err2 == nil && cut && r.digest != (Digest{}) && kind+":"+digits == r.digest.String()
	return r, ok
}

// Encode returns the memory as a file, the newest first. It holds what is in the file
// now too, so that two runs at once lose nothing of each other's work.
func (d *Digests) Encode(inFile *Digests) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := maps.Clone(inFile.known)
	for _, mine := range []map[inode]hashedFile{d.known, d.fresh} {
		for at, r := range mine {
			if r.at >= all[at].at {
				all[at] = r
			}
		}
	}
	list := slices.SortedFunc(maps.Values(all), func(a, b hashedFile) int {
		return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(a.id.dev, b.id.dev), cmp.Compare(a.id.ino, b.id.ino))
	})
	var out bytes.Buffer
	out.WriteString(digestsHeader + "\n")
	for _, r := range list[:min(len(list), maxDigests)] {
		s := r.id
		fmt.Fprintf(&out, "%d %d %d %d %d %d %s\n", s.dev, s.ino, s.size, s.mtime, s.ctime, r.at, r.digest)
	}
	return out.Bytes()
}

// find returns the digest of a file that looks as it did when it was hashed.
func (d *Digests) lookup(s fileID, git bool) (r hashedFile, ok bool) {
	if d == nil {
		return r, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := inode{s.dev, s.ino}
	if r, ok = d.fresh[at]; !ok {
		if r, ok = d.known[at]; ok {
			ok = r.isSettled()
		}
	}
	return r, ok && r.id == s && r.digest.Git == git
}

// settled reports whether the file was older than its hashing by more than a tick.
func (r hashedFile) isSettled() bool {
	least := tick
	if r.id.mtime%int64(time.Second) == 0 && r.id.ctime%int64(time.Second) == 0 {
		least = coarse
	}
	return r.at-max(r.id.mtime, r.id.ctime) > int64(least)
}

// put remembers what was hashed in this run.
func (d *Digests) record(s fileID, digest Digest, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fresh[inode{s.dev, s.ino}] = hashedFile{s, digest, at.UnixNano()}
}
