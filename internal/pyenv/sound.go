package pyenv

import (
	"context"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// VerifiedFiles is what Hash found as the RECORD files state it, by path.
type VerifiedFiles map[string]look

// A look is the digest that a file was found to have, and what the system changes
// of it when anybody writes to it or puts another in its place; times in ns.
type look struct {
	sha256             facts.SHA256
	sum                string // for other algorithms
	dev, ino           uint64
	size, mtime, ctime int64
}

func (c *claim) look(st *unix.Stat_t) look {
	return look{
		sha256: c.SHA256, sum: c.Sum, dev: uint64(st.Dev), ino: uint64(st.Ino), size: st.Size,
		mtime: unix.TimespecToNsec(st.Mtim), ctime: unix.TimespecToNsec(st.Ctim),
	}
}

// Hash reads the files of a generation while something else goes on in it, for
// Recheck to leave out those that nobody touches from here on. justMade is a file
// or directory on the same file system that was made a moment ago. workers is how
// many files are read at a time.
//
// A file that changed hardly before justMade is not taken for known: a later
// change could leave the same times (the rule of changedDirs). Nor is one that is
// not as its RECORD states: whoever looks again says why.
func Hash(ctx context.Context, genDir, justMade string, workers int) (VerifiedFiles, error) {
	var now unix.Stat_t
	if err := lstat(justMade, &now); err != nil {
		return nil, err
	}
	sitePackages, _, err := SitePackages(genDir)
	if err != nil {
		return nil, err
	}
	records, err := readRecords(genDir, sitePackages)
	if err != nil {
		return nil, err
	}
	claims := slices.Collect(maps.Values(newIndex(records, sitePackages, Seal{}, nil).claims))
	looks := make([]look, len(claims))
	hashers := make([]hasher, workers)
	young := unix.TimespecToNsec(now.Mtim) - tickOf(unix.TimespecToNsec(now.Mtim))
	err = eachOf(workers, len(claims), func(w, i int) error {
		var st unix.Stat_t
		c := &claims[i]
		same, _ := hashers[w].agrees(ctx, genDir, c, &st, nil) // what cannot be read is not known
		if l := c.look(&st); same && l.ctime < young && st.Dev == now.Dev {
			looks[i] = l
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	sound := make(VerifiedFiles, len(claims))
	for i, l := range looks {
		if l != (look{}) {
			sound[claims[i].Path] = l
		}
	}
	return sound, nil
}

// holds reports whether a file was found to have the digest that it should have,
// and was not touched since.
func (s VerifiedFiles) holds(genDir string, c *claim) bool {
	known, ok := s[c.Path]
	if !ok {
		return false
	}
	var st unix.Stat_t
	return lstat(genDir+"/"+c.Path, &st) == nil && c.look(&st) == known
}
