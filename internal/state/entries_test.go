package state

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// genEntry generates an entry, with or without characters that need escapes.
func genEntry(t *rapid.T) Entry {
	plain := rapid.Bool().Draw(t, "plain")
	text := func(label string) string {
		if plain {
			return rapid.SampledFrom([]string{"a", "data/raw", "a.b:c"}).Draw(t, label)
		}
		return rapid.SampledFrom([]string{"", "a", "data/raw", "data/raw", "a.b:c", "q\"uote", "back\\slash", "tab\t", "über", "<&>", "\u2028"}).Draw(t, label)
	}
	digest := func(label string) facts.SHA256 {
		var d facts.SHA256
		if rapid.Bool().Draw(t, label) {
			d = facts.SHA256{1, 2, byte(rapid.IntRange(0, 255).Draw(t, label+" byte"))}
		}
		return d
	}
	name := text("name")
	if name == "" {
		name = "x"
	}
	return Entry{
		Addr: resources.Addr{Kind: rapid.SampledFrom([]string{"file", "directory"}).Draw(t, "kind of thing"), Name: name}, Key: facts.PathKey(text("key")),
		Ownership: rapid.SampledFrom([]Ownership{Created, Adopted, Observed, ""}).Draw(t, "owner"),
		Action:    resources.Action(text("action")), Spec: digest("spec"), Kept: digest("kept"),
		Left:    Left{Path: text("path"), Type: facts.PathType(text("type")), SHA256: digest("left"), Target: text("target")},
		Protect: rapid.Bool().Draw(t, "protect"), Time: text("time"),
	}
}

// TestEntriesAreReadAsByEncodingJSON compares both readers of a line, and checks that
// the restricted one is used for ordinary entries.
func TestEntriesAreReadAsByEncodingJSON(t *testing.T) {
	plain := 0
	rapid.Check(t, func(t *rapid.T) {
		l := &line{Seq: 7, Lineage: "x", Kind: kindDone, Time: "now", Done: rapid.SliceOfN(rapid.Custom(genEntry), 1, 4).Draw(t, "entries")}
		if rapid.Bool().Draw(t, "forgets") {
			l.Forgotten = []resources.Addr{{Kind: "file", Name: "b"}}
		}
		text, _, err := l.encode(sum{})
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.TrimSuffix(text, []byte("\n"))
		got, _, err := decode(text, sum{})
		if err != nil {
			t.Fatal(err)
		}
		var want line
		if err := json.Unmarshal(append(bytes.Clone(text[:len(text)-sumSize]), '}'), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(*got, want) {
			t.Fatalf("read\n%+v\nwant\n%+v", *got, want)
		}
		if _, _, ok := cutEntries(text); ok {
			plain++
		}
	})
	if plain == 0 {
		t.Error("the restricted reader was never used")
	}
}

// FuzzEntries parses any text as a list of entries: encoding/json reads whatever the
// restricted reader accepts as the same.
func FuzzEntries(f *testing.F) {
	e := Entry{Addr: resources.Addr{Kind: "file", Name: "a.txt"}, Key: facts.PathKey("a.txt"), Ownership: Created, Action: resources.Create, Time: "now", Protect: true,
		Spec: facts.SHA256{1}, Left: Left{Path: "a.txt", Type: facts.Regular, SHA256: facts.SHA256{2}}}
	text, err := json.Marshal([]Entry{e, e})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text[1:]))
	f.Add(`{"addr":"a.b","key":"path:","ownership":"x"}]`)
	f.Add(`{"addr":"a.b","key":"path:c","ownership":"created","left":{"path":"c","type":"link","target":"d"}}]`)
	f.Fuzz(func(t *testing.T, list string) {
		body := []byte(`{"seq":1,"lineage":"x","kind":"done","done":[` + list)
		_, fast, ok := cutEntries(body)
		if !ok {
			return
		}
		if bytes.Count(bytes.ToLower(body), []byte("done")) > 2 {
			return // a second list, which decode leaves to encoding/json
		}
		var slow line
		d := json.NewDecoder(bytes.NewReader(append(body, '}')))
		d.DisallowUnknownFields()
		if err := d.Decode(&slow); err != nil {
			return // the text after the list is for the caller to read
		}
		if !reflect.DeepEqual(slow.Done, fast) {
			t.Fatalf("restricted %+v, encoding/json %+v", fast, slow.Done)
		}
	})
}
