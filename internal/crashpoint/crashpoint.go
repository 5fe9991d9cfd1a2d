// Package crashpoint names the places where a test kills reconcile.
//
// Built with the tag crashpoints, the program ends itself with SIGKILL at the
// N-th passage of the place that RECONCILE_CRASH=name:N names, and appends each
// place that it passes to the file in RECONCILE_CRASH_LIST. Without the tag
// every call is empty and is compiled away.
package crashpoint

import "slices"

// Names of the places that are not steps. Those of steps are step.WORD.before
// and step.WORD.after, with the words of resources.StepNames.
const (
	JournalBefore    = "journal.before"    // a line is about to be appended
	JournalWritten   = "journal.written"   // written, not yet synced
	JournalAfter     = "journal.after"     // durable
	CompactBefore    = "compact.before"    // the journal is about to be rewritten
	CompactPrevious  = "compact.previous"  // the old one is kept, the new one not yet in place
	CompactAfter     = "compact.after"     // the new one is in place
	GroupMade        = "group.made"        // directories of a group are made
	GroupStaged      = "group.staged"      // its temporaries are written
	GroupSynced      = "group.synced"      // and durable
	GroupRenaming    = "group.renaming"    // before each rename
	GroupRenamed     = "group.renamed"     // everything has its name
	GroupAfter       = "group.after"       // and the names are durable
	FetchStaged      = "fetch.staged"      // the download is complete and checked, beside its place
	TrashMoved       = "trash.moved"       // what is removed is in the trash
	ReuseLinked      = "reuse.linked"      // files are in the new generation, scripts not yet
	SealVerified     = "seal.verified"     // every digest is checked
	SealLaunchers    = "seal.launchers"    // launchers are written
	SealStamped      = "seal.stamped"      // directories are stamped
	SealSynced       = "seal.synced"       // everything but the seal is durable
	SwitchBefore     = "switch.before"     // the link still shows the old generation
	SwitchRenamed    = "switch.renamed"    // the link shows the new one, perhaps not yet durably
	SwitchAfter      = "switch.after"      // durable and journalled
	AtomicfileStaged = "atomicfile.staged" // one file is written beside its place
	AtomicfileMoved  = "atomicfile.moved"  // it has its name, perhaps not yet durably
)

// places lists the names above.
var places = []string{
	JournalBefore, JournalWritten, JournalAfter, CompactBefore, CompactPrevious, CompactAfter,
	GroupMade, GroupStaged, GroupSynced, GroupRenaming, GroupRenamed, GroupAfter, FetchStaged, TrashMoved,
	ReuseLinked, SealVerified, SealLaunchers, SealStamped, SealSynced,
	SwitchBefore, SwitchRenamed, SwitchAfter, AtomicfileStaged, AtomicfileMoved,
}

// When a step is passed.
const (
	Before = "before"
	After  = "after"
)

// steps lists the words of the steps. A test of internal/apply compares it with
// resources.StepNames, which this package is too low to see.
var steps = []string{"make_dir", "write_file", "set_mode", "link", "remove", "move", "fetch", "run", "reuse", "compile", "prove", "seal", "switch"}

// Names lists every place there is, sorted.
func Names() []string {
	names := slices.Clone(places)
	for _, s := range steps {
		names = append(names, stepName(s, Before), stepName(s, After))
	}
	slices.Sort(names)
	return names
}

func stepName(step, when string) string { return "step." + step + "." + when }
