package state

import (
	"cmp"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/atomicfile"
	"github.com/reconcile-ml/reconcile/internal/failpoint"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// compactAbove is the size in bytes above which a journal is compacted, if it is also
// more than 1.5 times as long as the result. An apply of many resources doubles it, and
// every plan reads it: that is worth two more flushes.
const compactAbove = 64 << 10

// maxSwitches is the number of switches that are kept of an environment.
const maxSwitches = 50

func (j *Journal) compact() error {
	if j.size <= compactAbove {
		return nil
	}
	text, err := rawfile.ReadRoot(j.root, j.base, maxJournal, rawfile.NoFollow)
	if err != nil {
		return err
	}
	short, _, _, err := j.condense()
	if err != nil || len(text) <= len(short)+len(short)/2 {
		return err
	}
	return j.rewrite(text)
}

// condense returns a journal equal to j: a header, and one line with everything.
// Serial numbers continue, so that no line of the old file is valid in it.
func (j *Journal) condense() ([]byte, sum, uint64, error) {
	head := &line{Seq: j.Serial + 1, Lineage: j.Lineage, Kind: kindHeader, Time: j.timestamp(), Version: Version}
	text, s, err := head.encode(sum{})
	if err != nil || len(j.entries)+len(j.switches)+len(j.pending)+len(j.appliedPlans) == 0 {
		return text, s, head.Seq, err
	}
	all := &line{Seq: head.Seq + 1, Lineage: j.Lineage, Kind: kindCompaction, Time: j.timestamp()}
	all.Done, all.Intents, all.Switched = j.Sorted(), j.Pending(), recentSwitches(j.switches)
	all.AppliedPlans = j.appliedPlans[max(0, len(j.appliedPlans)-MaxAppliedPlans):]
	more, s, err := all.encode(s)
	return append(text, more...), s, all.Seq, err
}

// recentSwitches returns the latest maxSwitches switches of each environment.
func recentSwitches(all []Switch) []Switch {
	var list []Switch
	count := map[string]int{}
	for _, sw := range slices.Backward(all) {
		if count[sw.Environment]++; count[sw.Environment] <= maxSwitches {
			list = append(list, sw)
		}
	}
	slices.Reverse(list)
	return slices.SortedStableFunc(slices.Values(list), func(a, b Switch) int { return cmp.Compare(a.Environment, b.Environment) })
}

// rewrite replaces the journal by a condensed one and opens that. old, unless nil, is
// the existing content, which is kept as .prev.
func (j *Journal) rewrite(old []byte) error {
	text, s, serial, err := j.condense()
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.CompactBefore)
	if old != nil {
		if err := atomicfile.Write(j.root, j.base+".prev", 0o600, old); err != nil {
			return err
		}
	}
	failpoint.Hit(failpoint.CompactPrevious)
	if err := atomicfile.Write(j.root, j.base, 0o600, text); err != nil {
		return err
	}
	failpoint.Hit(failpoint.CompactAfter)
	if j.file != nil {
		if err := j.file.Close(); err != nil {
			return err
		}
	}
	j.Serial, j.last, j.size = serial, s, int64(len(text))
	return j.reopen()
}
