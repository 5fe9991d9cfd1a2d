package compat

import (
	"encoding/json"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/catalog"
)

func TestSources(t *testing.T) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(compatJSON, &doc); err != nil {
		t.Fatal(err)
	}
	for section, body := range doc {
		if section == "format" {
			continue
		}
		var entries []struct{ Source string }
		if err := json.Unmarshal(body, &entries); err != nil || len(entries) == 0 {
			t.Errorf("%s has no entries: %v", section, err)
		}
		for i, e := range entries {
			if e.Source == "" {
				t.Errorf("%s[%d] has no source", section, i)
			}
		}
	}
	for _, b := range known().Builds {
		for i, cuda := range b.CUDA {
			if catalog.Driver(cuda) == "" || catalog.MajorDriver(cuda) == "" {
				t.Errorf("torch %s is built for CUDA %s, whose driver is unknown", b.Torch, cuda)
			}
			if i > 0 {
				if order, _ := catalog.Compare(b.CUDA[i-1], cuda); order >= 0 {
					t.Errorf("builds of torch %s are not sorted", b.Torch)
				}
			}
		}
	}
}

func TestRunOn(t *testing.T) {
	plain, _ := kernelsOf("2.1.2", "12.1")
	ptx := kernels{Compute: []string{"8.0", "9.0"}, PTX: true}
	for _, c := range []struct {
		k       kernels
		compute string
		want    bool
	}{
		{plain, "8.6", true}, {plain, "8.9", true}, {plain, "9.0", true}, {plain, "7.2", true}, {plain, "3.7", false},
		{plain, "10.0", false}, {plain, "12.0", false}, {plain, "", false},
		{ptx, "7.5", false}, {ptx, "8.9", true}, {ptx, "10.0", true}, {ptx, "12.1", true},
	} {
		if got := c.k.runOn(c.compute); got != c.want {
			t.Errorf("kernels for %v (PTX %v) run on %q: %v", c.k.Compute, c.k.PTX, c.compute, got)
		}
	}
}

func TestRelease(t *testing.T) {
	for version, want := range map[string]string{"4.43.4": "4.43.4", "4.43.0rc1": "4.43.0", "4.43.0.dev0": "4.43.0", "0.41.3.post2": "0.41.3", "2.1.2+cu121": "2.1.2", "1.2.3.4": "1.2.3", "": "", "x": ""} {
		if got := release(version); got != want {
			t.Errorf("release(%q) = %q, want %q", version, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct{ torch, driverCUDA, want string }{
		{"2.1.2", "11.4", "11.8"}, {"2.1.2+cu121", "12.0", "12.1"}, {"2.6.0", "13.0", "12.6"}, {"2.9.1", "11.4", ""}, {"2.9.1", "12.9", "12.8"}, {"2.1.2", "10.2", ""}, {"1.0", "12.0", ""},
	} {
		if got := nearest(c.torch, c.driverCUDA); got != c.want {
			t.Errorf("nearest(%q, %q) = %q, want %q", c.torch, c.driverCUDA, got, c.want)
		}
	}
}
