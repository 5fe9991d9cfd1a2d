package pyenv

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// hashBuffer is the number of bytes that are read and hashed at a time.
const hashBuffer = 256 << 10

// Verify compares every file of a generation with its RECORD files, conda-meta and its
// skeleton: type, size and, if deep is set, digest. It finds files that are not recorded,
// files that two distributions list with different contents, and all that CheckFast
// finds. For a generation that is not sealed yet, seal has only Packages and Conda.
//
// With deep, a file without a digest is "changed" unless it is a RECORD or its signature.
// Bytecode in __pycache__ is not checked.
//
// The distributions in expected, which may be nil, are compared with that, and with their
// RECORD too. Without deep, their files that have another modification time than expected
// are hashed. Verify also returns what was hashed.
//
// progress may be nil. It is called with the bytes hashed of all bytes (deep), or the
// files checked of all files, by one goroutine at a time.
func Verify(ctx context.Context, genDir string, seal Seal, expected Expected, deep bool, progress func(done, total int64)) (Hashed, []facts.Damage, error) {
	v := &verification{deep: deep, expected: expected, hashed: Hashed{}}
	damage, err := v.run(ctx, genDir, seal, progress)
	return v.hashed, damage, err
}

// Expected are the files of distributions, by their normalised names, as they were
// installed: with them Verify needs no RECORD in the generation.
type Expected map[string][]InstalledFile

// An InstalledFile is a file of a distribution.
type InstalledFile struct {
	Path   string // relative to the generation
	Size   int64
	SHA256 facts.SHA256
	MTime  int64 // ns since 1970; 0 for any
}

// Hashed is the SHA-256 of files that were hashed and are intact, by FileID.
type Hashed map[FileID]facts.SHA256

// A FileID identifies a file of this machine, whatever its names are.
type FileID struct{ dev, ino uint64 }

// IDOf returns the FileID of a file.
func IDOf(st *unix.Stat_t) FileID { return FileID{uint64(st.Dev), uint64(st.Ino)} }

// Recheck is Verify with deep, except that it does not hash the files in verified again
// unless they were modified.
func Recheck(ctx context.Context, genDir string, seal Seal, verified VerifiedFiles, progress func(done, total int64)) ([]facts.Damage, error) {
	return (&verification{deep: true, verified: verified}).run(ctx, genDir, seal, progress)
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
	records, err := readRecords(genDir)
	if err != nil {
		return noLibrary(damage, cmp.Or(records.sitePackages, "lib"), err)
	}
	if len(seal.Conda) > 0 && seal.CondaDists == nil { // not sealed yet
		if seal.CondaDists, err = condaDists(genDir, records.sitePackages, records.conda); err != nil {
			return nil, err
		}
	}
	changes, err := comparePackages(genDir, records.sitePackages, seal)
	if err != nil {
		return nil, err
	}
	x := newIndex(records, seal, v.expected, nil)
	dirs, err := x.knownDirs(genDir)
	if err != nil {
		return nil, err
	}
	v.ctx, v.genDir, v.hashers, v.meter = ctx, genDir, make([]hasher, workers()), newMeter(x, v.deep, progress)
	found, err := x.inspect(ctx, genDir, dirs, v.check)
	if err != nil {
		return nil, err
	}
	return sorted(slices.Concat(damage, changes, compareConda(records.conda, seal.Conda), found)), nil
}

// A verification is one call of Verify.
type verification struct {
	ctx      context.Context
	genDir   string
	deep     bool
	verified VerifiedFiles // may be nil
	expected Expected      // may be nil

	meter   *meter
	hashers []hasher // one for each worker

	mu       sync.Mutex
	found    VerifiedFiles // the hashed files that are intact; nil if not wanted
	hashed   Hashed        // the same, by FileID; nil if not wanted
	justMade unix.Stat_t
}

// check reports whether a file that has the right size has the right content.
func (v *verification) check(worker int, c *claim) (bool, error) {
	switch {
	case !v.deep:
		v.meter.add(1)
		return v.hasTime(worker, c)
	case c.unknown(): // of a generation that is not sealed yet
		v.meter.add(max(0, c.Size))
		return true, nil
	case !c.HasHash:
		v.meter.add(max(0, c.Size))
		return hasNoDigest(c.Path), nil
	case v.verified.holds(v.genDir, c):
		v.meter.add(c.Size)
		return true, nil
	}
	var st unix.Stat_t
	same, err := v.hashers[worker].matches(v.ctx, v.genDir, c, &st, v.meter)
	if same && (v.found != nil || v.hashed != nil && c.Algorithm == "") {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.found != nil {
			v.found.add(c, &st, &v.justMade)
		}
		if v.hashed != nil && c.Algorithm == "" {
			v.hashed[IDOf(&st)] = c.SHA256
		}
	}
	return same, err
}

// hasTime reports whether a file has the expected modification time or else the expected
// content.
func (v *verification) hasTime(worker int, c *claim) (bool, error) {
	var st unix.Stat_t
	if c.mtime == 0 {
		return true, nil
	}
	if err := rawfile.Lstat(v.genDir+"/"+c.Path, &st); err != nil {
		return false, ignoreAbsent(err)
	}
	if unix.TimespecToNsec(st.Mtim) == c.mtime {
		return true, nil
	}
	return v.hashers[worker].matches(v.ctx, v.genDir, c, &st, nil)
}

// hasNoDigest reports whether a RECORD may list a file without its digest.
func hasNoDigest(name string) bool {
	return slices.ContainsFunc([]string{".dist-info/RECORD", ".dist-info/RECORD.jws", ".dist-info/RECORD.p7s"}, func(suffix string) bool {
		return len(name) > len(suffix) && strings.HasSuffix(name, suffix)
	})
}

// VerifiedFiles are the files that have the recorded digest, by path: those for which
// VerifyNew found it, and those that were added.
type VerifiedFiles map[string]verifiedFile

// A verifiedFile is the digest of a file and the attributes that change when it is written
// or replaced; times in ns.
type verifiedFile struct {
	sha256             facts.SHA256
	sum                string // for other algorithms
	dev, ino           uint64
	size, mtime, ctime int64
}

// Add adds a file with a known SHA-256. st is the state of the file when its content was
// known, and justMade that of a file on the same file system that was created later. It
// omits a file that changed less than a tick before justMade: a later change could have the
// same times.
func (v VerifiedFiles) Add(name string, sum facts.SHA256, st, justMade *unix.Stat_t) {
	v.add(&claim{RecordEntry: RecordEntry{Path: name, SHA256: sum}}, st, justMade)
}

func (v VerifiedFiles) add(c *claim, st, justMade *unix.Stat_t) {
	made := unix.TimespecToNsec(justMade.Mtim)
	if f := c.verifiedFile(st); f.ctime < made-tickOf(made) && st.Dev == justMade.Dev {
		v[c.Path] = f
	}
}

func (c *claim) verifiedFile(st *unix.Stat_t) verifiedFile {
	return verifiedFile{
		sha256: c.SHA256, sum: c.Sum, dev: uint64(st.Dev), ino: uint64(st.Ino), size: st.Size,
		mtime: unix.TimespecToNsec(st.Mtim), ctime: unix.TimespecToNsec(st.Ctim),
	}
}

// VerifyNew is Recheck for a generation that is not sealed yet. It also adds the files that
// it hashed to a copy of verified, for a later Recheck; justMade is a file or directory that
// was just created, as in VerifiedFiles.Add.
func VerifyNew(ctx context.Context, genDir string, seal Seal, verified VerifiedFiles, justMade string, progress func(done, total int64)) (VerifiedFiles, []facts.Damage, error) {
	v := &verification{deep: true, verified: verified, found: VerifiedFiles{}}
	if err := rawfile.Lstat(justMade, &v.justMade); err != nil {
		return nil, nil, err
	}
	damage, err := v.run(ctx, genDir, seal, progress)
	maps.Copy(v.found, verified)
	return v.found, damage, err
}

// holds reports whether VerifyNew found the recorded digest for a file that was not modified
// since.
func (v VerifiedFiles) holds(genDir string, c *claim) bool {
	known, ok := v[c.Path]
	if !ok {
		return false
	}
	var st unix.Stat_t
	return rawfile.Lstat(genDir+"/"+c.Path, &st) == nil && c.verifiedFile(&st) == known
}

// A hasher hashes files with one buffer.
type hasher struct {
	buf    []byte
	sha256 hash.Hash
	sum    []byte
}

// matches reports whether a file has the recorded digest, and sets st to its state before
// it was read. A claim without a digest does not match.
func (h *hasher) matches(ctx context.Context, genDir string, c *claim, st *unix.Stat_t, m *meter) (bool, error) {
	if !c.HasHash {
		return false, nil
	}
	sum, err := h.file(ctx, genDir+"/"+c.Path, c.Algorithm, st, m)
	switch {
	case err != nil:
		return false, ignoreAbsent(err)
	case c.Algorithm != "":
		return string(sum) == c.Sum, nil
	}
	return facts.SHA256(sum) == c.SHA256, nil
}

// file returns the digest of a file, valid until the next call, and sets st to its state
// before it was read. m may be nil.
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
	fd, err := rawfile.Open(name, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := rawfile.Fstat(fd, name, st); err != nil {
		return nil, err
	}
	for {
		n, err := rawfile.Read(fd, name, h.buf, len(h.buf))
		if err != nil {
			return nil, err
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

// A meter reports progress for every half percent.
type meter struct {
	report                      func(done, total int64)
	mu                          sync.Mutex
	done, reported, step, total int64
}

func newMeter(x *index, deep bool, report func(done, total int64)) *meter {
	m := &meter{report: report, total: int64(len(x.claims))}
	if deep {
		m.total = 0
		for _, c := range x.claims {
			m.total += max(0, c.Size)
		}
	}
	m.step = max(1, m.total/200)
	return m
}

// add counts n more bytes or files. A nil meter ignores them.
func (m *meter) add(n int64) {
	if m == nil || m.report == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.done += n; m.done-m.reported >= m.step || m.done == m.total {
		m.reported = m.done
		m.report(min(m.done, m.total), m.total)
	}
}
