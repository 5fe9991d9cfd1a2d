package catalog

import (
	"testing"
	"time"
)

func TestPythonEnd(t *testing.T) {
	for at, want := range map[string]string{
		"2026-06-01": "", "2026-08-03": "soon", "2026-10-31": "soon", "2026-11-01": "past", "2030-01-01": "past",
	} {
		e, ok := PythonEnd("3.10")
		now, err := time.Parse(time.DateOnly, at)
		if !ok || err != nil || e.String() != "October 2026" {
			t.Fatalf("Python 3.10 ends in %s, %v", e, err)
		}
		got := map[bool]string{true: "past"}[e.IsPast(now)] + map[bool]string{true: "soon"}[e.IsSoon(now)]
		if got != want {
			t.Errorf("on %s the end is %q, want %q", at, got, want)
		}
	}
	if e, ok := PythonEnd("3.99"); ok {
		t.Errorf("Python 3.99 ends in %s", e)
	}
}

// TestEndings checks that all months can be read, and that those of Python ascend.
func TestEndings(t *testing.T) {
	var last time.Time
	for _, e := range knownEndings().Pythons {
		end, ok := PythonEnd(e.Version)
		if !ok || !end.Month.After(last) {
			t.Errorf("Python %s ends in %s, after %s", e.Version, end, last)
		}
		last = end.Month
	}
	for _, e := range knownEndings().CUDA {
		if end, ok := CUDAEnd(e.Major); !ok || end.Torch == "" {
			t.Errorf("CUDA %s ends in %s with torch %q", e.Major, end, end.Torch)
		}
	}
	for _, channel := range []string{"pytorch", "https://host.example/pytorch"} {
		if end, ok := ChannelEnd(channel); !ok || end.Torch != "2.5" {
			t.Errorf("channel %s ends in %s with torch %q", channel, end, end.Torch)
		}
	}
	if _, ok := ChannelEnd("conda-forge"); ok {
		t.Error("conda-forge ended")
	}
}
