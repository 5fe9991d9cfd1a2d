package catalog

import "testing"

func TestRunOn(t *testing.T) {
	plain := Kernels{Compute: []string{"5.0", "6.0", "7.0", "7.5", "8.0", "8.6", "9.0"}}
	ptx := Kernels{Compute: []string{"8.0", "9.0"}, PTX: true}
	for _, c := range []struct {
		k       Kernels
		compute string
		want    bool
	}{
		{plain, "8.6", true}, {plain, "8.9", true}, {plain, "9.0", true}, {plain, "7.2", false}, {plain, "8.7", false}, {plain, "6.2", false}, {plain, "3.7", false},
		{plain, "10.0", false}, {plain, "12.0", false}, {plain, "", false},
		{ptx, "7.5", false}, {ptx, "8.9", true}, {ptx, "10.0", true}, {ptx, "12.1", true},
	} {
		if got := c.k.RunOn(c.compute, "12.8"); got != c.want {
			t.Errorf("kernels for %v (PTX %v) run on %q: %v", c.k.Compute, c.k.PTX, c.compute, got)
		}
	}
	if !plain.RunOn("8.7", "13.2") || plain.RunOn("6.2", "13.2") {
		t.Error("CUDA 13.2 makes 8.7 compatible with 8.0, and 6.2 with nothing")
	}
}
