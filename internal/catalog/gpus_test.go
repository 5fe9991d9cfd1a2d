package catalog

import "testing"

func TestFindGPU(t *testing.T) {
	for id, want := range map[[2]string]GPU{
		{"amd", "74a1"}:   {Name: "AMD Instinct MI300X"},
		{"amd", "1586"}:   {Name: "AMD Radeon Graphics / Radeon 8050S Graphics / Radeon 8060S Graphics", Integrated: true},
		{"intel", "0bd5"}: {Name: "Intel Data Center GPU Max 1550"},
		{"intel", "e20b"}: {Name: "Intel Arc B580"},
		{"intel", "74a1"}: {},
	} {
		if got, ok := FindGPU(id[0], id[1]); got != want || ok != (want.Name != "") {
			t.Errorf("%s: %+v (%t), want %+v", id, got, ok, want)
		}
	}
}
