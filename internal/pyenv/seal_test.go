package pyenv

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

func sampleSeal() Seal {
	return Seal{
		Version: 1, Digest: "abc", Python: "3.10.13", Base: "/opt/python/bin/python3.10", Created: "2026-11-23T10:00:00Z", Prefix: "/p/gen",
		Packages: []facts.Package{{Name: "six", Version: "1.16.0", Entry: "e"}},
		Skeleton: []SkeletonFile{{Path: "bin/python", Target: "/opt/python/bin/python3.10"}, {Path: "pyvenv.cfg", Size: 3, SHA256: facts.SHA256{1}}},
	}
}

func TestSealRoundTrip(t *testing.T) {
	b, err := EncodeSeal(sampleSeal())
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseSeal(b)
	if err != nil || !reflect.DeepEqual(got, sampleSeal()) {
		t.Errorf("got %+v, error %v", got, err)
	}
}

// TestSealDetectsChanges flips each bit, truncates at each length and appends.
func TestSealDetectsChanges(t *testing.T) {
	b, err := EncodeSeal(sampleSeal())
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		for bit := range 8 {
			c := bytes.Clone(b)
			c[i] ^= 1 << bit
			if got, err := parseSeal(c); err == nil {
				t.Fatalf("bit %d of byte %d flip not detected: %+v", bit, i, got)
			}
		}
		if got, err := parseSeal(b[:i]); err == nil {
			t.Fatalf("truncation at %d not detected: %+v", i, got)
		}
	}
	if _, err := parseSeal(append(b, '\n')); err == nil {
		t.Error("an added byte was not detected")
	}
}

func TestReadSeal(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadSeal(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no seal: %v", err)
	}
	put(t, filepath.Join(dir, "reconcile/seal.json"), `{"version": 2, "shape": "unknown"}`, 0o600)
	if _, err := ReadSeal(dir); !errors.Is(err, ErrNewerSeal) {
		t.Errorf("a newer seal: %v", err)
	}
	put(t, filepath.Join(dir, "reconcile/seal.json"), "", 0o600)
	if _, err := ReadSeal(dir); err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNewerSeal) {
		t.Errorf("an empty seal: %v", err)
	}
}

func FuzzParseSeal(f *testing.F) {
	b, err := EncodeSeal(sampleSeal())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version": 2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSeal(b)
		if err != nil {
			return
		}
		again, err := EncodeSeal(s)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("accepted a seal that EncodeSeal does not write: %q", b)
		}
	})
}

func TestStampsRoundTrip(t *testing.T) {
	dir := t.TempDir()
	mkdir(t, filepath.Join(dir, "a \"b\"\nc/d"))
	mkdir(t, filepath.Join(dir, "reconcile/bin"))
	mkdir(t, filepath.Join(dir, "x/__pycache__"))
	b, err := TakeStamps(dir)
	if err != nil {
		t.Fatal(err)
	}
	stamps, err := parseStamps(b)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, s := range stamps {
		paths = append(paths, s.path)
	}
	if want := []string{".", "a \"b\"\nc", "a \"b\"\nc/d", "reconcile/bin", "x"}; !reflect.DeepEqual(paths, want) {
		t.Errorf("stamped %q, want %q", paths, want)
	}
	for i := range b {
		for bit := range 8 {
			c := bytes.Clone(b)
			c[i] ^= 1 << bit
			if _, err := parseStamps(c); err == nil {
				t.Fatalf("bit %d of byte %d flip not detected", bit, i)
			}
		}
		if _, err := parseStamps(b[:i]); err == nil {
			t.Fatalf("truncation at %d not detected", i)
		}
	}
}

func FuzzParseStamps(f *testing.F) {
	f.Add([]byte("reconcile stamps 1\nsha256 b3ba1a1d7a1cc0d1e1a1e6a1c0a1b0a1d0a1e0a1f0a1b2a1c3a1d4a1e5a1f6a1\n"))
	f.Add([]byte("1 0 bin\n2 3 \"a\\nb\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		stamps, err := parseStamps(b)
		for _, s := range stamps {
			if err == nil && !filepath.IsLocal(s.path) {
				t.Errorf("%q gives %+v", b, s)
			}
		}
		for line := range bytes.Lines(b) { // past the checksum
			if s, err := parseStamp(string(bytes.TrimSuffix(line, []byte("\n")))); err == nil && !filepath.IsLocal(s.path) {
				t.Errorf("%q gives %+v", line, s)
			}
		}
	})
}
