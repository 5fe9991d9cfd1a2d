package state

import "slices"

// An AppliedPlan is a saved plan that an apply started. It is written before the
// first change, so that no plan is applied twice, however the apply ends.
type AppliedPlan struct {
	ID   string `json:"id"`             // of the plan
	At   uint64 `json:"at"`             // serial of its line
	Time string `json:"time,omitempty"` // RFC 3339, informative only
}

// MaxAppliedPlans is the number of applied plans that a compaction keeps. Whether an
// older plan was applied is unknown.
const MaxAppliedPlans = 100

// AppliedPlan returns the record of a saved plan that was started, if it was.
func (s *State) AppliedPlan(id string) (AppliedPlan, bool) {
	i := slices.IndexFunc(s.appliedPlans, func(p AppliedPlan) bool { return p.ID == id })
	if i < 0 {
		return AppliedPlan{}, false
	}
	return s.appliedPlans[i], true
}

// MayHaveDroppedPlan reports whether a saved plan, made from the state with a serial,
// may have been applied and its record dropped since: dropped records are older than
// all that are kept.
func (s *State) MayHaveDroppedPlan(serial uint64) bool {
	return len(s.appliedPlans) >= MaxAppliedPlans && serial < s.appliedPlans[0].At
}

// IsBlank reports whether there is no journal, or one with nothing but a header.
func (s *State) IsBlank() bool { return s.Serial <= 1 }

// BeginPlan records that the apply of a saved plan starts.
func (j *Journal) BeginPlan(id string) error {
	return j.append(&line{Kind: kindPlan, AppliedPlans: []AppliedPlan{{id, j.Serial + 1, j.timestamp()}}})
}
