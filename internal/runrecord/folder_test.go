package runrecord

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

func openFolder(t *testing.T) (f *Folder, dir string) {
	t.Helper()
	state := t.TempDir()
	f, err := OpenFolder(state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, layout.Runs(state)
}

func TestAddKeepsTheNewestRecords(t *testing.T) {
	f, dir := openFolder(t)
	if names, err := f.Names(); err != nil || len(names) != 0 {
		t.Fatalf("without a folder: %v, %v", names, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range Kept + 5 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("20010101T000000.%03dZ.json", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range []string{"notes.txt", "20019901T000000.000Z.json", "20010101T000000.000Z"} {
		if err := os.WriteFile(filepath.Join(dir, other), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := New(Run{Started: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Command: "reconcile apply", Result: &apply.Result{Elapsed: time.Second}})
	if err := f.Add(want, nil); err != nil {
		t.Fatal(err)
	}
	names, err := f.Names()
	if err != nil || len(names) != Kept || names[0] != "20010101T000000.006Z" {
		t.Fatalf("%d records, the first is %s, %v", len(names), names[0], err)
	}
	got, err := f.Read(names[Kept-1])
	if err != nil || got.Command != want.Command || !got.Started.Equal(want.Started) || got.Elapsed != 1 {
		t.Errorf("read %+v, %v", got, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != Kept+3 {
		t.Errorf("%d files, want %d", len(entries), Kept+3)
	}
}

func TestReadRefusesWhatIsNoRegularFile(t *testing.T) {
	f, dir := openFolder(t)
	if err := os.MkdirAll(filepath.Join(dir, "20010101T000000.001Z.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	const text = `{"version": 1, "kind": "summary"}`
	if err := os.WriteFile(filepath.Join(dir, "20010101T000000.000Z.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("20010101T000000.000Z.json", filepath.Join(dir, "20010101T000000.002Z.json")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "20010101T000000.003Z.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 3; i++ {
		if r, err := f.Read(fmt.Sprintf("20010101T000000.%03dZ", i)); err == nil {
			t.Errorf("%d: read %+v", i, r)
		}
	}
	r, err := f.Read("20010101T000000.000Z")
	if err != nil || r.Started.Year() != 2001 {
		t.Errorf("a record without a start time: %+v, %v", r, err)
	}
}

func TestDecodeReportsInvalidRecords(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "unexpected end",
		`{"version": 1, "kind": "done"}`:    "not the record of a run",
		`{"version": 2, "kind": "summary"}`: "format version 2, this program reads 1",
		`{"kind": "summary"}`:               "not the record of a run",
		`{"version": 1, "kind": "summary", "items": [{"addr": "x"}]}`: "address",
		`{"version": 1, "kind": "summary", "items": [{}]}`:            "item 0 has no address",
	} {
		if _, err := Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	if _, err := Decode(make([]byte, MaxBytes+1)); err == nil {
		t.Error("a record above the limit was decoded")
	}
}
