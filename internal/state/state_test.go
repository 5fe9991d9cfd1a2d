package state

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

var update = flag.Bool("update", false, "write the journals of the current version that have no golden yet")

func clock() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func entry(name string, own Ownership) Entry {
	return Entry{
		Addr: resources.Addr{Kind: "file", Name: name}, Key: facts.PathKey(name), Ownership: own, Action: resources.Create,
		Left: Left{Path: name, Type: facts.Regular, SHA256: facts.SHA256{1, 2, 3}},
	}
}

func intent(name string) Intent {
	e := entry(name, Created)
	return Intent{Addr: e.Addr, Key: e.Key, Action: e.Action, Makes: []Left{e.Left}, Known: true}
}

// write fills a new journal with one event of each type and returns its path.
func write(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "part", "state.jsonl")
	j, err := Open(path, clock)
	check(t, err)
	check(t, j.Intend(intent("a"), intent("b"), intent("c"), intent("d")))
	check(t, j.Done(entry("a", Created), entry("b", Adopted)))
	check(t, j.Failed(Failure{Addr: intent("c").Addr, Code: "disk.full"}))
	check(t, j.Switched("local", "", "aaa"))
	check(t, j.Switched("local", "aaa", "bbb"))
	check(t, j.Done(entry("e.with.dots", Observed)))
	check(t, j.Forget(entry("b", "").Addr))
	check(t, j.Close())
	return path
}

func code(err error) string {
	var p *diag.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

func TestRoundTrip(t *testing.T) {
	path := write(t)
	s, err := Read(path)
	check(t, err)
	if got := len(s.Entries()); got != 2 {
		t.Errorf("%d entries: %v", got, s.Entries())
	}
	e, ok := s.Entry(resources.Addr{Kind: "file", Name: "e.with.dots"})
	if !ok || e.Ownership != Observed || e.Left.SHA256 != (facts.SHA256{1, 2, 3}) || e.Time == "" {
		t.Errorf("entry is %+v, %v", e, ok)
	}
	if p := s.Pending(); len(p) != 1 || p[0].Addr.Name != "d" || !reflect.DeepEqual(p[0], intent("d")) {
		t.Errorf("pending is %+v", p)
	}
	if sw := s.Switches("local"); len(sw) != 2 || sw[1].From != "aaa" || sw[1].To != "bbb" {
		t.Errorf("switches are %+v", sw)
	}
	info, err := os.Stat(path)
	check(t, err)
	dir, err := os.Stat(filepath.Dir(path))
	check(t, err)
	if info.Mode().Perm() != 0o600 || dir.Mode().Perm() != 0o700 {
		t.Errorf("modes are %v and %v", info.Mode(), dir.Mode())
	}
}

func TestReadWithoutAJournalWritesNothing(t *testing.T) {
	dir := t.TempDir()
	s, err := Read(filepath.Join(dir, "part", "state.jsonl"))
	check(t, err)
	if s.Lineage != "" || len(s.Entries()) != 0 {
		t.Errorf("got %+v", s)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("wrote %v", entries)
	}
}

// TestDeleteRemovesTheEntry also checks that serial numbers continue after reopening.
func TestDeleteRemovesTheEntry(t *testing.T) {
	path := write(t)
	j, err := Open(path, clock)
	check(t, err)
	before := j.Serial
	gone := entry("a", Created)
	gone.Action = resources.Delete
	check(t, j.Done(gone))
	check(t, j.Close())
	s, err := Read(path)
	check(t, err)
	if _, ok := s.Entry(gone.Addr); ok || s.Serial != before+1 {
		t.Errorf("entry still there: %v, serial %d after %d", ok, s.Serial, before)
	}
}

func TestPartialLastLineIsToleratedAndReported(t *testing.T) {
	path := write(t)
	whole, err := os.ReadFile(path)
	check(t, err)
	start := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for end := start; end < len(whole); end++ {
		check(t, os.WriteFile(path, whole[:end], 0o600))
		s, err := Read(path)
		if err != nil {
			t.Fatalf("cut at %d: %v", end, err)
		}
		if cut := end > start; cut != (s.Torn != "") {
			t.Fatalf("cut at %d: torn is %q", end, s.Torn)
		}
		if len(s.Entries()) != 3 { // with the forgotten one, since that line is lost
			t.Fatalf("cut at %d: %d entries", end, len(s.Entries()))
		}
	}
	j, err := Open(path, clock)
	check(t, err)
	check(t, j.Done(entry("f", Created)))
	check(t, j.Close())
	s, err := Read(path)
	check(t, err)
	if s.Torn != "" || len(s.Entries()) != 4 || len(s.Pending()) != 1 {
		t.Errorf("after the repair: %q, %d entries, %d pending", s.Torn, len(s.Entries()), len(s.Pending()))
	}
	prev, err := os.ReadFile(path + ".prev")
	check(t, err)
	if !bytes.Equal(prev, whole[:len(whole)-1]) {
		t.Error("the partial journal was not kept")
	}
}

// TestEveryFlippedBitIsFound allows two answers: damaged, or a partial last line.
func TestEveryFlippedBitIsFound(t *testing.T) {
	path := write(t)
	whole, err := os.ReadFile(path)
	check(t, err)
	last := bytes.LastIndexByte(whole[:len(whole)-1], '\n') // the newline before it included
	for i := range whole {
		for bit := range 8 {
			text := bytes.Clone(whole)
			text[i] ^= 1 << bit
			p, err := parse(path, text)
			switch {
			case err != nil && (code(err) == "state.damaged" || code(err) == "state.newer"):
			case err == nil && i >= last && p.state.Torn != "":
			default:
				t.Fatalf("bit %d of byte %d: %v", bit, i, err)
			}
		}
	}
}

func TestLinesOutOfPlaceAreFound(t *testing.T) {
	path := write(t)
	whole, err := os.ReadFile(path)
	check(t, err)
	other, err := os.ReadFile(write(t))
	check(t, err)
	lines := strings.SplitAfter(string(whole), "\n")
	for name, text := range map[string]string{
		"empty":            "",
		"zeros":            string(make([]byte, 512)),
		"header missing":   strings.Join(lines[1:], ""),
		"doubled":          lines[0] + lines[1] + lines[1] + strings.Join(lines[2:], ""),
		"swapped":          lines[0] + lines[2] + lines[1] + strings.Join(lines[3:], ""),
		"one missing":      lines[0] + strings.Join(lines[2:], ""),
		"two headers":      lines[0] + strings.Join(lines, ""),
		"of another":       lines[0] + strings.Join(strings.SplitAfter(string(other), "\n")[1:], ""),
		"cut in the first": lines[0][:20],
		"a zeroed block":   lines[0] + strings.Repeat("\x00", len(lines[1])) + strings.Join(lines[2:], ""),
		"text after":       lines[0] + "# note\n" + strings.Join(lines[1:], ""),
	} {
		if _, err := parse(path, []byte(text)); code(err) != "state.damaged" {
			t.Errorf("%s: %v", name, err)
		}
	}
	check(t, os.WriteFile(path, nil, 0o600))
	if _, err := Open(path, clock); code(err) != "state.damaged" {
		t.Errorf("Open of an empty file: %v", err)
	}
	check(t, os.Rename(path, path+".damaged"))
	if j, err := Open(path, clock); err != nil || len(j.Entries()) != 0 {
		t.Errorf("after that: %v", err)
	}
}

func TestNewerIsRefusedAndNotChanged(t *testing.T) {
	path := write(t)
	text := []byte(`{"seq":1,"lineage":"x","kind":"header","version":2,"checks":"other"}` + "\nwhatever\n")
	check(t, os.WriteFile(path, text, 0o600))
	if _, err := Read(path); code(err) != "state.newer" {
		t.Errorf("Read: %v", err)
	}
	if _, err := Open(path, clock); code(err) != "state.newer" {
		t.Errorf("Open: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(after, text) {
		t.Error("the file was changed")
	}
}

func TestCompactionKeepsTheState(t *testing.T) {
	path := write(t)
	j, err := Open(path, clock)
	check(t, err)
	for i := range 400 {
		check(t, j.Intend(intent("a")))
		check(t, j.Done(entry("a", Created)))
		check(t, j.Switched("local", fmt.Sprint(i), fmt.Sprint(i+1)))
	}
	lineage, serial := j.Lineage, j.Serial
	entries, pending := j.Entries(), j.Pending()
	check(t, j.Close())
	info, err := os.Stat(path)
	check(t, err)
	if info.Size() > compactAbove {
		t.Errorf("%d bytes after compaction", info.Size())
	}
	s, err := Read(path)
	check(t, err)
	if s.Lineage != lineage || s.Serial <= serial {
		t.Errorf("lineage %s, serial %d; were %s, %d", s.Lineage, s.Serial, lineage, serial)
	}
	if !reflect.DeepEqual(s.Entries(), entries) || !reflect.DeepEqual(s.Pending(), pending) {
		t.Error("entries or pending items differ")
	}
	if sw := s.Switches("local"); len(sw) != maxSwitches || sw[maxSwitches-1].To != "400" {
		t.Errorf("%d switches", len(sw))
	}
	prev, err := Read(path + ".prev")
	check(t, err)
	if prev.Serial != serial {
		t.Errorf("the previous one ends at %d, want %d", prev.Serial, serial)
	}
}

// TestReadsJournalsOfOlderVersions reads a journal of every released version. The
// goldens are never edited.
func TestReadsJournalsOfOlderVersions(t *testing.T) {
	current := filepath.Join("testdata", fmt.Sprintf("v%d", Version), "state.jsonl")
	if _, err := os.Stat(current); *update && errors.Is(err, os.ErrNotExist) {
		text, err := os.ReadFile(write(t))
		check(t, err)
		check(t, os.MkdirAll(filepath.Dir(current), 0o755))
		check(t, os.WriteFile(current, text, 0o644))
	}
	goldens, err := filepath.Glob("testdata/v*/state.jsonl")
	check(t, err)
	if len(goldens) < Version {
		t.Fatalf("%d goldens for %d versions", len(goldens), Version)
	}
	for _, name := range goldens {
		s, err := Read(name)
		check(t, err)
		if len(s.Entries()) != 2 || len(s.Pending()) != 1 || len(s.Switches("local")) != 2 || s.Serial != 8 {
			t.Errorf("%s: state is %+v", name, s)
		}
	}
}

// TestReadReturnsWrittenEvents writes random events, with some reopening, and compares
// the result of Read with them.
func TestReadReturnsWrittenEvents(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		check(t, err)
		path := filepath.Join(dir, "state.jsonl")
		j, err := Open(path, clock)
		check(t, err)
		want := map[resources.Addr]Entry{}
		for range rapid.IntRange(0, 20).Draw(r, "events") {
			name := rapid.SampledFrom([]string{"a", "b", "c/d", "é\u202e"}).Draw(r, "name")
			e := entry(name, rapid.SampledFrom([]Ownership{Created, Adopted, Observed}).Draw(r, "own"))
			switch rapid.IntRange(0, 4).Draw(r, "event") {
			case 0:
				check(t, j.Intend(intent(name)))
			case 1:
				check(t, j.Done(e))
				e.Time = j.timestamp()
				want[e.Addr] = e
			case 2:
				e.Action = resources.Delete
				check(t, j.Done(e))
				delete(want, e.Addr)
			case 3:
				check(t, j.Close())
				j, err = Open(path, clock)
				check(t, err)
			case 4:
				check(t, j.rewrite(nil))
			}
		}
		check(t, j.Close())
		s, err := Read(path)
		check(t, err)
		if got := s.Entries(); !reflect.DeepEqual(got, want) {
			r.Fatalf("got %v\nwant %v", got, want)
		}
	})
}

func TestNothingIsWrittenAfterAFailure(t *testing.T) {
	j, err := Open(filepath.Join(t.TempDir(), "state.jsonl"), clock)
	check(t, err)
	good := j.file
	j.file, err = os.Open(os.DevNull) // writing to it fails
	check(t, err)
	if err := j.Done(entry("a", Created)); err == nil {
		t.Fatal("a failed write is no error")
	}
	j.file = good
	if err := j.Done(entry("b", Created)); err == nil {
		t.Error("a line was written after a failed write")
	}
	check(t, j.Close())
}

func FuzzParse(f *testing.F) {
	j, err := Open(filepath.Join(f.TempDir(), "state.jsonl"), clock)
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(j.Done(entry("a", Created)), j.Switched("local", "", "x"), j.Close()); err != nil {
		f.Fatal(err)
	}
	text, err := os.ReadFile(j.path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parse("state.jsonl", text)
		if err != nil {
			if c := code(err); c != "state.damaged" && c != "state.newer" {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		if p.state.Lineage == "" || p.intactBytes > len(text) || p.intactBytes == 0 {
			t.Fatalf("accepted %q as %+v", text, p)
		}
	})
}

// TestStateIsARegularFile checks that nothing else is read as state, also not through a link.
func TestStateIsARegularFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.jsonl")
	for what, plant := range map[string]func() error{
		"pipe":   func() error { return unix.Mkfifo(path, 0o600) },
		"device": func() error { return os.Symlink("/dev/zero", path) },
		"link":   func() error { return os.Symlink("other.jsonl", path) },
		"size":   func() error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, maxJournal+1)) },
	} {
		if err := plant(); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); code(err) != "state.unreadable" {
			t.Errorf("%s: Read: %v", what, err)
		}
		if _, err := Open(path, clock); code(err) != "state.unreadable" {
			t.Errorf("%s: Open: %v", what, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(t.Context(), path, LockOptions{}); err == nil || !strings.Contains(err.Error(), "is a named pipe, not a regular file") {
		t.Errorf("a lock that is a pipe: %v", err)
	}
}
