package catalog

import "testing"

// TestDriversAscend checks the table: a newer CUDA never needs an older driver, and every
// entry is a valid version.
func TestDriversAscend(t *testing.T) {
	for _, list := range [][]minimum{knownDrivers().Toolkits, knownDrivers().Lines} {
		for i, m := range list {
			if i == 0 {
				continue
			}
			cuda, ok := Compare(list[i-1].CUDA, m.CUDA)
			driver, ok2 := Compare(list[i-1].Driver, m.Driver)
			if !ok || !ok2 || cuda >= 0 || driver >= 0 {
				t.Errorf("%v is not less than %v", list[i-1], m)
			}
		}
	}
	if got := Driver("12.1"); got != "530.30.02" {
		t.Errorf("CUDA 12.1 needs driver %q", got)
	}
	if got := MajorDriver("12.1"); got != "525.60.13" {
		t.Errorf("CUDA 12 needs driver %q", got)
	}
	if got := Driver("12.7") + MajorDriver("99.1"); got != "" {
		t.Errorf("a driver for an unknown CUDA: %q", got)
	}
}

func TestRuns(t *testing.T) {
	for _, c := range []struct {
		offered, built string
		runs, full     bool
	}{
		{"12.4", "12.1", true, true}, {"12.1", "12.1", true, true}, {"13.0", "12.1", true, true}, {"12.10", "12.9", true, true},
		{"12.0", "12.1", true, false}, {"11.4", "12.1", false, false}, {"11.4", "11.8", true, false}, {"", "12.1", false, false},
	} {
		if runs, full := Runs(c.offered, c.built); runs != c.runs || full != c.full {
			t.Errorf("CUDA %s runs programs for %s: %v, without limits %v", c.offered, c.built, runs, full)
		}
	}
}

// TestDrives checks that a driver is not named for a GPU that it has dropped.
func TestDrives(t *testing.T) {
	for _, c := range []struct {
		driver, compute, last string
		drives                bool
	}{
		{"580.65.06", "6.1", "580", true}, {"590.44.01", "6.1", "580", false}, {"595.45.04", "7.0", "580", false}, {"610.43.02", "7.5", "", true},
		{"470.82.01", "3.7", "470", true}, {"525.60.13", "3.7", "470", false}, {"610.43.02", "12.0", "", true}, {"610.43.02", "", "", true}, {"", "6.1", "580", true},
	} {
		if last := LastDriver(c.compute); last != c.last {
			t.Errorf("the last driver for compute capability %s is %q, want %q", c.compute, last, c.last)
		}
		if drives := Drives(c.driver, c.compute); drives != c.drives {
			t.Errorf("driver %s and compute capability %s: %v", c.driver, c.compute, drives)
		}
	}
}
