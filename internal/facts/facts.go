package facts

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Version is the format version of the JSON form of Facts.
const Version = 1

// Facts holds, for each probed key, a fact or the reason why there is none. The zero
// value is empty and ready to use. Facts is not safe for concurrent writing.
type Facts struct {
	found  map[Key]Fact
	failed map[Key]string
}

// Of returns Facts that hold list, for tests and predictions.
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

// Set records a fact and replaces any earlier entry for its key.
func (f *Facts) Set(fact Fact) {
	f.Grow(0)
	k := fact.Key()
	f.found[k] = fact
	delete(f.failed, k)
}

// Fail records the reason why a key could not be probed and replaces any earlier
// entry for it.
func (f *Facts) Fail(k Key, reason string) {
	if f.failed == nil {
		f.failed = make(map[Key]string)
	}
	f.failed[k] = reason
	delete(f.found, k)
}

// Merge records every entry of o.
func (f *Facts) Merge(o *Facts) {
	for _, fact := range o.found {
		f.Set(fact)
	}
	for k, reason := range o.failed {
		f.Fail(k, reason)
	}
}

// NotProbed is the reason of Lookup for a fact that nothing probed.
const NotProbed = "not probed"

// Lookup returns the fact for a key, or false and the reason if there is none.
func (f *Facts) Lookup(k Key) (Fact, string, bool) {
	if fact, ok := f.found[k]; ok {
		return fact, "", true
	}
	if reason, ok := f.failed[k]; ok {
		return nil, reason, false
	}
	return nil, NotProbed, false
}

// HasAll reports whether all facts with these keys are known.
func (f *Facts) HasAll(keys []Key) bool {
	return !slices.ContainsFunc(keys, func(k Key) bool {
		_, _, ok := f.Lookup(k)
		return !ok
	})
}

// Keys returns the keys of all entries, sorted.
func (f *Facts) Keys() []Key {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(f.found)), maps.Keys(f.failed))
	slices.SortFunc(keys, Key.Compare)
	return keys
}

// A View gives a resource access to the facts that it declared in Reads.
type View struct {
	facts     *Facts
	predicted *Facts // takes precedence over facts; may be nil
	reads     []Key
}

// NewView returns a view of f limited to reads.
func NewView(f *Facts, reads []Key) View { return View{facts: f, reads: reads} }

// With returns v with predicted facts that take precedence over the probed ones.
func (v View) With(predicted *Facts) View {
	v.predicted = predicted
	return v
}

// Assume returns v with list added to its predicted facts.
func (v View) Assume(list ...Fact) View {
	more := &Facts{}
	if v.predicted != nil {
		more.Merge(v.predicted)
	}
	more.Merge(Of(list...))
	return v.With(more)
}

// Get returns the fact for k, predicted facts first. It panics if k was not declared
// in Reads, or has no fact of type T: the planner checks that before.
func Get[T Fact](v View, k Key) T {
	if !slices.Contains(v.reads, k) {
		panic(fmt.Sprintf("fact %s was not declared in Reads", k))
	}
	found := v.facts.found[k]
	if v.predicted != nil {
		if fact, ok := v.predicted.found[k]; ok {
			found = fact
		}
	}
	fact, ok := found.(T)
	if !ok {
		panic(fmt.Sprintf("fact %s is not known or not a %T", k, fact))
	}
	return fact
}

// Find returns the fact for k, or false if f has none of type T.
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
	doc := document{Version, map[Kind]map[string]json.RawMessage{}, map[Kind]map[string]string{}}
	for k, fact := range f.found {
		body, err := json.Marshal(fact)
		if err != nil {
			return nil, fmt.Errorf("encode fact %s: %w", k, err)
		}
		insert(doc.Facts, k, body)
	}
	for k, reason := range f.failed {
		insert(doc.Failed, k, reason)
	}
	return json.Marshal(doc)
}

func insert[V any](m map[Kind]map[string]V, k Key, v V) {
	if m[k.Kind] == nil {
		m[k.Kind] = map[string]V{}
	}
	m[k.Kind][k.Name] = v
}

// UnmarshalJSON reads the versioned document. Another version or an unknown kind is an
// error.
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

// decode reads the body of one fact and sets its name from k.
func decode(k Key, body []byte) (Fact, error) {
	if decode, ok := decoders()[k.Kind]; ok {
		return decode(k.Name, body)
	}
	return nil, fmt.Errorf("unknown kind of fact %q", k.Kind)
}

// decoders maps each kind of fact to the function that reads a body and sets the name.
var decoders = sync.OnceValue(func() map[Kind]func(name string, body []byte) (Fact, error) {
	return map[Kind]func(string, []byte) (Fact, error){
		KindProject:     decodeAs(func(*Project, string) {}),
		KindHost:        decodeAs(func(*Host, string) {}),
		KindGPU:         decodeAs(func(*GPU, string) {}),
		KindNvidia:      decodeAs(func(*Nvidia, string) {}),
		KindToolkit:     decodeAs(func(*Toolkit, string) {}),
		KindIndex:       decodeAs(func(*Index, string) {}),
		KindPath:        decodeAs(func(p *Path, name string) { p.Path = name }),
		KindFolder:      decodeAs(func(f *Folder, name string) { f.Path = name }),
		KindTree:        decodeAs(func(t *Tree, name string) { t.Path = name }),
		KindDisk:        decodeAs(func(d *Disk, name string) { d.Path = name }),
		KindPython:      decodeAs(func(p *Pythons, name string) { p.Minor = name }),
		KindTool:        decodeAs(func(t *Tool, name string) { t.Name = name }),
		KindEnvironment: decodeAs(func(e *Environment, name string) { e.Name = name }),
		KindModel:       decodeAs(func(m *Model, name string) { m.Repo = name }),
	}
})

func decodeAs[T Fact](setName func(*T, string)) func(string, []byte) (Fact, error) {
	return func(name string, body []byte) (Fact, error) {
		var fact T
		err := json.Unmarshal(body, &fact)
		setName(&fact, name)
		return fact, err
	}
}

// Zero returns an empty fact of each kind. Tests use it to find places that forget a kind.
func Zero() []Fact {
	var list []Fact
	for _, kind := range slices.Sorted(maps.Keys(decoders())) {
		fact, _ := decoders()[kind]("", []byte("{}")) // an empty object is valid for each
		list = append(list, fact)
	}
	return list
}
