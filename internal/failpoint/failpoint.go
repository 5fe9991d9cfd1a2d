// Package failpoint names the places where a crash test kills reconcile.
//
// In a build with the tag failpoints, the environment variable
// RECONCILE_FAILPOINT=name:N makes the N-th hit of that failpoint end the process
// with SIGKILL, and every hit is appended to the file in RECONCILE_FAILPOINT_LIST.
// Without the tag Hit and Step are empty.
package failpoint

import "slices"

// Failpoints that are not steps. Those of steps are step.WORD.before and
// step.WORD.after, with the words of resources.StepNames.
const (
	JournalBefore    = "journal.before"    // before a line is appended
	JournalWritten   = "journal.written"   // the line is written, not yet synced
	JournalAfter     = "journal.after"     // the line is durable
	CompactBefore    = "compact.before"    // before the journal is rewritten
	CompactPrevious  = "compact.previous"  // the old journal is kept, the new one is not yet in place
	CompactAfter     = "compact.after"     // the new journal is in place
	GroupMade        = "group.made"        // the directories of a group exist
	GroupStaged      = "group.staged"      // its temporary files are written
	GroupSynced      = "group.synced"      // its temporary files are durable
	GroupRenaming    = "group.renaming"    // before each rename
	GroupRenamed     = "group.renamed"     // every file is renamed
	GroupAfter       = "group.after"       // the new names are durable
	FetchStaged      = "fetch.staged"      // the download is complete and verified, not yet renamed
	TrashMoved       = "trash.moved"       // the removed path is in the trash
	DistUnpacked     = "dist.unpacked"     // the files of a wheel are in the store, under a temporary name
	DistRecorded     = "dist.recorded"     // its entry is complete, not yet renamed
	AssembleLinked   = "assemble.linked"   // files are in the new generation, scripts are not
	SealVerified     = "seal.verified"     // every digest is verified
	SealLaunchers    = "seal.launchers"    // launchers are written
	SealStamped      = "seal.stamped"      // directories are stamped
	SealSynced       = "seal.synced"       // everything but the seal is durable
	SwitchBefore     = "switch.before"     // the link still points to the old generation
	SwitchRenamed    = "switch.renamed"    // the link points to the new one, perhaps not durably
	SwitchAfter      = "switch.after"      // the link is durable and the journal has it
	AtomicfileStaged = "atomicfile.staged" // one temporary file is written
	AtomicfileMoved  = "atomicfile.moved"  // it is renamed, perhaps not durably
	PruneLocked      = "prune.locked"      // the store is locked, nothing is removed
	PruneMoved       = "prune.moved"       // one more part of the store is in its trash
	PruneUnlocked    = "prune.unlocked"    // everything is in the trash, nothing is deleted
)

// When the failpoint of a step is hit.
const (
	Before = "before"
	After  = "after"
)

// Names returns every failpoint, sorted. A test of internal/apply compares the
// steps with resources.StepNames, which this package must not import.
func Names() []string {
	names := []string{
		JournalBefore, JournalWritten, JournalAfter, CompactBefore, CompactPrevious, CompactAfter,
		GroupMade, GroupStaged, GroupSynced, GroupRenaming, GroupRenamed, GroupAfter, FetchStaged, TrashMoved,
		DistUnpacked, DistRecorded, AssembleLinked, SealVerified, SealLaunchers, SealStamped, SealSynced,
		SwitchBefore, SwitchRenamed, SwitchAfter, AtomicfileStaged, AtomicfileMoved,
		PruneLocked, PruneMoved, PruneUnlocked,
	}
	for _, s := range []string{"make_dir", "write_file", "set_mode", "link", "remove", "move", "fetch", "run", "build", "unpack", "fetch_wheel", "assemble", "compile", "prove", "seal", "switch"} {
		names = append(names, stepName(s, Before), stepName(s, After))
	}
	slices.Sort(names)
	return names
}

func stepName(step, when string) string { return "step." + step + "." + when }
