package state

// A Begun is a saved plan that an apply began to carry out. It is written before the
// first change, so that no plan is carried out twice, whatever ends the apply.
type AppliedPlan struct {
	ID   string `json:"id"`             // of the plan
	At   uint64 `json:"at"`             // serial of the line that tells it
	Time string `json:"time,omitempty"` // RFC 3339, for people
}

// MaxBegun is how many saved plans a compaction keeps at least. Of a plan that is
// older than all of those it is not known whether it was begun.
const MaxAppliedPlans = 100

// Begun returns the memory of a saved plan that was begun, if it was.
func (s *State) AppliedPlan(id string) (AppliedPlan, bool) {
	for _, b := range s.appliedPlans {
		if b.ID == id {
			return b, true
		}
	}
	return AppliedPlan{}, false
}

// Forgets reports whether a saved plan, made from the state with a serial, may have
// been begun and forgotten since: whatever was forgotten was begun before all that is
// remembered, and made before that.
func (s *State) MayHaveDroppedPlan(serial uint64) bool {
	return len(s.appliedPlans) >= MaxAppliedPlans && serial < s.appliedPlans[0].At
}

// IsBlank reports whether there is no journal, or one in which nothing was written yet.
func (s *State) IsBlank() bool { return s.Serial <= 1 }

// Begin writes that a saved plan is carried out from now on.
func (j *Journal) BeginPlan(id string) error {
	return j.append(&line{Kind: kindPlan, AppliedPlans: []AppliedPlan{{id, j.Serial + 1, j.timestamp()}}})
}
