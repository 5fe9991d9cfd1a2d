package facts

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Version is the format version of the JSON that Facts reads and writes.
const Version = 1

// Facts is what is known of one machine: a fact, or the reason why there is
// none, for each key that was asked. The zero value knows nothing and is ready
// to use. Facts is not safe for concurrent writing.
type Facts struct {
	found  map[Key]Fact
	failed map[Key]string
}

// Of returns facts that hold the given ones; meant for tests and predictions.
func Of(list ...Fact) *Facts {
	f := &Facts{}
	for _, fact := range list {
		f.Set(fact)
	}
	return f
}

// Grow makes room for n more facts.
func (f *Facts) Grow(n int) {
	if f.found == nil {
		f.found = make(map[Key]Fact, n)
	}
}

// Set records a fact, in place of what was known of its key.
func (f *Facts) Set(fact Fact) {
	if f.found == nil {
		f.found = make(map[Key]Fact)
	}
	k := fact.Key()
	f.found[k] = fact
	delete(f.failed, k)
}

// Fail records that a key could not be looked at, and why.
func (f *Facts) Fail(k Key, reason string) {
	if f.failed == nil {
		f.failed = make(map[Key]string)
	}
	f.failed[k] = reason
	delete(f.found, k)
}

// Merge records everything that o knows.
func (f *Facts) Merge(o *Facts) {
	for _, fact := range o.found {
		f.Set(fact)
	}
	for k, reason := range o.failed {
		f.Fail(k, reason)
	}
}

// Lookup returns the fact for a key, or false with the reason if there is none.
func (f *Facts) Lookup(k Key) (Fact, string, bool) {
	if fact, ok := f.found[k]; ok {
		return fact, "", true
	}
	if reason, ok := f.failed[k]; ok {
		return nil, reason, false
	}
	return nil, "not looked at", false
}

// Keys returns every key that was asked, sorted.
func (f *Facts) Keys() []Key {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(f.found)), maps.Keys(f.failed))
	slices.SortFunc(keys, Key.Compare)
	return keys
}

// A View shows a resource the facts that it declared, and no others.
type View struct {
	facts     *Facts
	predicted *Facts // in front of facts; may be nil
	reads     []Key
}

// NewView returns a view of f limited to reads.
func NewView(f *Facts, reads []Key) View { return View{facts: f, reads: reads} }

// With returns v with predicted facts in front of the known ones.
func (v View) With(predicted *Facts) View {
	v.predicted = predicted
	return v
}

// Assume returns v with more predicted facts, in front of those that it has.
func (v View) Assume(list ...Fact) View {
	more := &Facts{}
	if v.predicted != nil {
		more.Merge(v.predicted)
	}
	for _, fact := range list {
		more.Set(fact)
	}
	return v.With(more)
}

// lookup returns the fact of a key, what is predicted first.
func (v View) lookup(k Key) Fact {
	if v.predicted != nil {
		if fact, ok := v.predicted.found[k]; ok {
			return fact
		}
	}
	return v.facts.found[k]
}

// Get returns the fact of a key. The planner has made sure that every declared
// key is known; asking for another is a mistake of the kind and panics.
func Get[T Fact](v View, k Key) T {
	if !slices.Contains(v.reads, k) {
		panic(fmt.Sprintf("fact %s was not declared in Reads", k))
	}
	fact, ok := v.lookup(k).(T)
	if !ok {
		panic(fmt.Sprintf("fact %s is not known or not a %T", k, fact))
	}
	return fact
}

// Find returns the fact of a key outside of a view, for those who handle the
// unknown themselves.
func Find[T Fact](f *Facts, k Key) (T, bool) {
	fact, ok := f.found[k].(T)
	return fact, ok
}

// document is the JSON form: kind, then name, then the fact or the reason.
type document struct {
	Version int                                 `json:"version"`
	Facts   map[Kind]map[string]json.RawMessage `json:"facts"`
	Failed  map[Kind]map[string]string          `json:"failed,omitempty"`
}

// MarshalJSON writes the versioned document, sorted.
func (f *Facts) MarshalJSON() ([]byte, error) {
	doc := document{Version: Version, Facts: map[Kind]map[string]json.RawMessage{}}
	for k, fact := range f.found {
		body, err := json.Marshal(fact)
		if err != nil {
			return nil, fmt.Errorf("encode fact %s: %w", k, err)
		}
		if doc.Facts[k.Kind] == nil {
			doc.Facts[k.Kind] = map[string]json.RawMessage{}
		}
		doc.Facts[k.Kind][k.Name] = body
	}
	for k, reason := range f.failed {
		if doc.Failed == nil {
			doc.Failed = map[Kind]map[string]string{}
		}
		if doc.Failed[k.Kind] == nil {
			doc.Failed[k.Kind] = map[string]string{}
		}
		doc.Failed[k.Kind][k.Name] = reason
	}
	return json.Marshal(doc)
}

// UnmarshalJSON reads the versioned document; a newer version or an unknown
// kind is an error.
func (f *Facts) UnmarshalJSON(b []byte) error {
	var doc document
	if err := json.Unmarshal(b, &doc); err != nil {
		return err
	}
	if doc.Version != Version {
		return fmt.Errorf("facts have format version %d, this program reads %d", doc.Version, Version)
	}
	*f = Facts{}
	for kind, byName := range doc.Facts {
		for name, body := range byName {
			fact, err := decode(Key{kind, name}, body)
			if err != nil {
				return fmt.Errorf("decode fact %s:%s: %w", kind, name, err)
			}
			f.Set(fact)
		}
	}
	for kind, byName := range doc.Failed {
		for name, reason := range byName {
			f.Fail(Key{kind, name}, reason)
		}
	}
	return nil
}

// decode reads the body of one fact and gives it back the name that its key
// carries.
func decode(k Key, body []byte) (Fact, error) {
	switch k.Kind {
	case KindProject:
		return into(body, func(*Project) {})
	case KindHost:
		return into(body, func(*Host) {})
	case KindGPU:
		return into(body, func(*GPU) {})
	case KindNvidia:
		return into(body, func(*Nvidia) {})
	case KindToolkit:
		return into(body, func(*Toolkit) {})
	case KindIndex:
		return into(body, func(*Index) {})
	case KindPath:
		return into(body, func(p *Path) { p.Path = k.Name })
	case KindFolder:
		return into(body, func(f *Folder) { f.Path = k.Name })
	case KindTree:
		return into(body, func(t *Tree) { t.Path = k.Name })
	case KindDisk:
		return into(body, func(d *Disk) { d.Path = k.Name })
	case KindPython:
		return into(body, func(p *Pythons) { p.Minor = k.Name })
	case KindTool:
		return into(body, func(t *Tool) { t.Name = k.Name })
	case KindEnvironment:
		return into(body, func(e *Environment) { e.Name = k.Name })
	case KindModel:
		return into(body, func(m *Model) { m.Repo = k.Name })
	}
	return nil, fmt.Errorf("unknown kind of fact %q", k.Kind)
}

func into[T Fact](body []byte, name func(*T)) (Fact, error) {
	var fact T
	err := json.Unmarshal(body, &fact)
	name(&fact)
	return fact, err
}
