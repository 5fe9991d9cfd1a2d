package plural

import "testing"

func TestCount(t *testing.T) {
	if got := Count(2, "known vulnerability"); got != "2 known vulnerabilities" {
		t.Errorf("%q", got)
	}
	for n, want := range map[int]string{0: "0 GPUs", 1: "1 GPU", 2: "2 GPUs", -1: "-1 GPUs"} {
		if got := Count(n, "GPU"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
