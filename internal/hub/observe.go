package hub

import (
	"cmp"
	"slices"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// Observe returns the state of a model in a cache, from names, sizes, headers and the
// digests in known, which may be nil. It reads no weights and writes nothing. The caller
// sets Model.Path. A cache that does not exist is empty and no error.
func Observe(cache string, pin Pin, known *Digests) (facts.Model, error) {
	s, err := read(cache, pin)
	if err != nil {
		return facts.Model{}, err
	}
	return s.model(known, nil), nil
}

// model returns the fact of a snapshot. failed, if not nil, has the files that could not be
// hashed, by path; then every file without a digest in known gets a fault.
func (s *snapshot) model(known *Digests, failed map[string]facts.ModelFault) facts.Model {
	m := facts.Model{
		Repo: s.pin.Repo, Revision: s.pin.Revision, Unfinished: s.unfinished, Others: s.others, Excluded: s.excluded,
		Listed: s.listed(), Weights: s.weights.format, Shards: s.weights.have, ShardsNeeded: s.weights.need,
		Faults: slices.Clone(s.faults),
	}
	var first int64
	for i := range s.files {
		f := &s.files[i]
		if f.id == (fileID{}) {
			continue // has a fault
		}
		mf := facts.ModelFile{Name: f.name, Size: f.id.size, Blob: f.blob}
		h, ok := known.lookup(f.id, f.want.Git)
		if _, unreadable := failed[f.path]; unreadable || f.want == (Digest{}) {
			ok = false // a file that can no longer be read is not verified
		}
		switch {
		case ok && h.digest == f.want:
			mf.Verified = true
			m.Verified++
			if first == 0 || h.at < first {
				first = h.at
			}
		case f.broken: // has a fault
		case ok:
			m.Faults = append(m.Faults, facts.ModelFault{What: "content", File: f.name, Blob: f.blob, Detail: h.digest.short() + " instead of " + f.want.short()})
		case failed != nil:
			m.Faults = append(m.Faults, f.unverified(failed))
		}
		m.Files = append(m.Files, mf)
	}
	if first > 0 {
		m.VerifiedAt = time.Unix(0, first).UTC().Format(time.RFC3339)
	}
	for _, name := range s.needed() {
		m.FilesNeeded++
		if s.find(name) == nil {
			_, size := s.tree[name].content()
			m.Lacking += size
		}
	}
	slices.SortStableFunc(m.Faults, func(a, b facts.ModelFault) int { return cmp.Compare(a.File, b.File) })
	m.State = s.state(&m)
	return m
}

// unverified returns the fault of a file whose content could not be compared.
func (f *file) unverified(failed map[string]facts.ModelFault) facts.ModelFault {
	fault, ok := failed[f.path]
	switch {
	case f.want == (Digest{}) && f.blob == "":
		fault = facts.ModelFault{What: "unknown", Detail: "a regular file, expected a link to a blob"}
	case f.want == (Digest{}):
		fault = facts.ModelFault{What: "unknown", Detail: "the name of its blob is not a digest"}
	case !ok:
		fault = facts.ModelFault{What: "changed"}
	}
	fault.File, fault.Blob = f.name, f.blob
	return fault
}

func (s *snapshot) state(m *facts.Model) facts.ModelState {
	_, damaged := m.Damage()
	active := slices.ContainsFunc(m.Unfinished, func(u facts.ModelUnfinished) bool { return !u.Leftover })
	switch {
	case damaged:
		return facts.ModelDamaged
	case !s.exists && active && len(m.Others) == 0:
		return facts.ModelPartial // the first files are being downloaded
	case !s.exists:
		return facts.ModelAbsent
	case len(m.Faults) > 0 || len(m.Files) == 0:
		return facts.ModelPartial
	}
	return facts.ModelComplete
}
