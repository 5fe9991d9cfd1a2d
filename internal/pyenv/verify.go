package pyenv

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"io/fs"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// hashBuffer is how much is read at a time while hashing, in bytes.
const hashBuffer = 256 << 10

// Verify looks at every file that the RECORD files of a generation and its
// skeleton list: it is there, is a regular file, has the size stated and, with
// deep, the digest. It finds files that nothing lists, files that two
// distributions claim with different contents, and all that CheckFast finds. A
// fresh generation is verified with a seal that has only Packages and Conda.
//
// With deep, a file without a digest is "changed" unless it is one that cannot
// have any: RECORD and its signatures, and bytecode.
//
// progress may be nil. It gets bytes hashed of bytes in all (deep), or files
// looked at of files in all, from one goroutine at a time.
func Verify(ctx context.Context, genDir string, seal Seal, deep bool, progress func(done, total int64)) ([]facts.Damage, error) {
	return (&verification{deep: deep}).run(ctx, genDir, seal, progress)
}

// Recheck is Verify with deep, but for the files that Hash found sound: of these
// it is enough that nobody touched them since.
func Recheck(ctx context.Context, genDir string, seal Seal, sound VerifiedFiles, progress func(done, total int64)) ([]facts.Damage, error) {
	return (&verification{deep: true, sound: sound}).run(ctx, genDir, seal, progress)
}

func (v *verification) run(ctx context.Context, genDir string, seal Seal, progress func(done, total int64)) ([]facts.Damage, error) {
	damage, err := checkFrame(genDir, seal)
	if err != nil {
		return nil, err
	}
	stray, err := strayScripts(genDir)
	if err != nil {
		return nil, err
	}
	damage = append(damage, stray...)
	sitePackages, _, err := SitePackages(genDir)
	if err != nil {
		return noLibrary(damage, err)
	}
	records, err := readRecords(genDir, sitePackages)
	if err != nil {
		return nil, err
	}
	if len(seal.Conda) > 0 && seal.CondaDists == nil { // a fresh generation
		if seal.CondaDists, err = condaDists(genDir, sitePackages, records.conda); err != nil {
			return nil, err
		}
	}
	changes, err := comparePackages(genDir, sitePackages, seal)
	if err != nil {
		return nil, err
	}
	changes = append(changes, compareConda(records.conda, seal.Conda)...)
	x := newIndex(records, sitePackages, seal, nil)
	dirs, err := x.knownDirs(genDir)
	if err != nil {
		return nil, err
	}
	v.ctx, v.genDir, v.hashers, v.meter = ctx, genDir, make([]hasher, workers()), newMeter(x, v.deep, progress)
	found, err := x.inspect(ctx, genDir, dirs, v.check)
	if err != nil {
		return nil, err
	}
	return collapse(append(append(damage, changes...), found...)), nil
}

// A verification is one run of Verify.
type verification struct {
	ctx     context.Context
	genDir  string
	deep    bool
	sound   VerifiedFiles // known before; may be nil
	meter   *meter
	hashers []hasher // one for each worker
}

// check reports whether a file that has the right size has the right content.
func (v *verification) check(worker int, c *claim) (bool, error) {
	switch {
	case !v.deep:
		v.meter.add(1)
		return true, nil
	case c.unknown(): // of a generation that is not sealed yet
		v.meter.add(max(0, c.Size))
		return true, nil
	case !c.HasHash:
		v.meter.add(max(0, c.Size))
		return unhashed(c.Path), nil
	case v.sound.holds(v.genDir, c):
		v.meter.add(c.Size)
		return true, nil
	}
	var st unix.Stat_t
	return v.hashers[worker].agrees(v.ctx, v.genDir, c, &st, v.meter)
}

// unhashed reports whether a file may stand in a RECORD without a digest.
func unhashed(name string) bool {
	for _, suffix := range []string{".dist-info/RECORD", ".dist-info/RECORD.jws", ".dist-info/RECORD.p7s"} {
		if len(name) > len(suffix) && name[len(name)-len(suffix):] == suffix {
			return true
		}
	}
	return false
}

// A hasher hashes one file after the other with one buffer.
type hasher struct {
	buf    []byte
	sha256 hash.Hash
	sum    []byte
}

// agrees reports whether a file has the digest that a claim states, and how it
// looked before it was read. One without a digest agrees with nothing.
func (h *hasher) agrees(ctx context.Context, genDir string, c *claim, st *unix.Stat_t, m *meter) (bool, error) {
	if !c.HasHash {
		return false, nil
	}
	sum, err := h.file(ctx, genDir+"/"+c.Path, c.Algorithm, st, m)
	switch {
	case gone(err):
		return false, nil
	case err != nil:
		return false, err
	case c.Algorithm != "":
		return string(sum) == c.Sum, nil
	}
	return facts.SHA256(sum) == c.SHA256, nil
}

// file returns the digest of a file, valid until the next call, and how the file
// looked before it was read.
func (h *hasher) file(ctx context.Context, name, algorithm string, st *unix.Stat_t, m *meter) ([]byte, error) {
	if h.buf == nil {
		h.buf, h.sha256 = make([]byte, hashBuffer), sha256.New()
	}
	state := h.sha256
	switch algorithm {
	case "sha384":
		state = sha512.New384()
	case "sha512":
		state = sha512.New()
	}
	state.Reset()
	fd, err := open(name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, st); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	for {
		n, err := read(fd, h.buf)
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: name, Err: err}
		}
		state.Write(h.buf[:n])
		m.add(int64(n))
		if n < len(h.buf) {
			h.sum = state.Sum(h.sum[:0])
			return h.sum, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// A meter adds up what is done and tells it now and then.
type meter struct {
	mu    sync.Mutex
	tell  func(done, total int64)
	done  atomic.Int64
	told  int64
	step  int64
	total int64
}

func newMeter(x *index, deep bool, tell func(done, total int64)) *meter {
	m := &meter{tell: tell, total: int64(len(x.claims))}
	if deep {
		m.total = 0
		for _, c := range x.claims {
			m.total += max(0, c.Size)
		}
	}
	m.step = max(1, m.total/200)
	return m
}

// add counts n more and tells every half percent.
func (m *meter) add(n int64) {
	if m == nil || m.tell == nil {
		return
	}
	done := m.done.Add(n)
	m.mu.Lock()
	defer m.mu.Unlock()
	if done-m.told >= m.step || done == m.total {
		m.told = done
		m.tell(min(done, m.total), m.total)
	}
}
