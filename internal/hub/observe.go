package hub

import (
	"cmp"
	"slices"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// Look returns what a cache has of a model, by names, sizes and headers, and what is
// remembered of its contents. It reads no weights and writes nothing. Model.Path is
// left to the caller. An error is what keeps from looking; a cache that is not there
// has nothing. known may be nil.
func Observe(cache string, pin Pin, known *Digests) (facts.Model, error) {
	s, err := read(cache, pin)
	if err != nil {
		return facts.Model{}, err
	}
	return s.model(known, nil), nil
}

// model says what a snapshot is. unproved, if not nil, says of a file by its path why its
// digest could not be found out: then every file without one has a fault.
func (s *snapshot) model(known *Digests, unproved map[string]facts.ModelFault) facts.Model {
	m := facts.Model{
		Repo: s.pin.Repo, Revision: s.pin.Revision, Unfinished: s.unfinished, Others: s.others, Excluded: s.excluded,
		Listed: s.listed(), Weights: s.weights.format, Shards: s.weights.have, ShardsNeeded: s.weights.need,
		Faults: slices.Clone(s.faults),
	}
	var first int64
	for i := range s.files {
		f := &s.files[i]
		if f.id == (fileID{}) {
			continue // its fault says all
		}
		one := facts.ModelFile{Name: f.name, Size: f.id.size, Blob: f.blob}
		r, ok := known.lookup(f.id, f.want.Git)
		if _, failed := unproved[f.path]; failed || f.want == (Digest{}) {
			ok = false // what could be read once and cannot be now is not sound
		}
		switch {
		case ok && r.digest == f.want:
			one.Verified = true
			m.Verified++
			if first == 0 || r.at < first {
				first = r.at
			}
		case f.broken: // what is wrong with it was said
		case ok:
			m.Faults = append(m.Faults, facts.ModelFault{What: "content", File: f.name, Blob: f.blob, Detail: r.digest.short() + " instead of " + f.want.short()})
		case unproved != nil:
			m.Faults = append(m.Faults, f.unverified(unproved))
		}
		m.Files = append(m.Files, one)
	}
	if first > 0 {
		m.VerifiedAt = time.Unix(0, first).UTC().Format(time.RFC3339)
	}
	s.countMissing(&m)
	slices.SortStableFunc(m.Faults, func(a, b facts.ModelFault) int { return cmp.Compare(a.File, b.File) })
	m.State = s.state(&m)
	return m
}

// unproved is the fault of a file whose content nobody could compare.
func (f *file) unverified(why map[string]facts.ModelFault) facts.ModelFault {
	fault, ok := why[f.path]
	switch {
	case f.want == (Digest{}) && f.blob == "":
		fault = facts.ModelFault{What: "unknown", Detail: "a real file, where a link to a blob belongs"}
	case f.want == (Digest{}):
		fault = facts.ModelFault{What: "unknown", Detail: "the name of its blob is none"}
	case !ok:
		fault = facts.ModelFault{What: "changed"}
	}
	fault.File, fault.Blob = f.name, f.blob
	return fault
}

// countLack counts what the list of the revision asks for.
func (s *snapshot) countMissing(m *facts.Model) {
	for _, name := range s.needed() {
		m.FilesNeeded++
		if s.find(name) == nil {
			m.Lacking += s.tree[name].bytes()
		}
	}
}

func (s *snapshot) state(m *facts.Model) facts.ModelState {
	_, damaged := m.Damage()
	going := slices.ContainsFunc(m.Unfinished, func(u facts.ModelUnfinished) bool { return !u.Leftover })
	switch {
	case damaged:
		return facts.ModelDamaged
	case !s.exists && going && len(m.Others) == 0:
		return facts.ModelPartial // the first files are on their way
	case !s.exists:
		return facts.ModelAbsent
	case len(m.Faults) > 0 || len(m.Files) == 0:
		return facts.ModelPartial
	}
	return facts.ModelComplete
}
