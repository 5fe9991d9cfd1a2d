package hub

import (
	"strings"
	"testing"
)

func TestCLI(t *testing.T) {
	pin := Pin{Repo: "o/n", Revision: "r", Exclude: []string{"*.bin", "original/*"}}
	for version, want := range map[string]string{
		"0.20.3":    "huggingface-cli login; huggingface-cli download o/n --revision r --exclude *.bin original/*",
		"0.33.5":    "huggingface-cli login; huggingface-cli download o/n --revision r --exclude *.bin original/*",
		"0.34":      "hf auth login; hf download o/n --revision r --exclude *.bin original/*",
		"0.34.0rc0": "hf auth login; hf download o/n --revision r --exclude *.bin original/*",
		"0.36.2":    "hf auth login; hf download o/n --revision r --exclude *.bin original/*",
		"1.0.0":     "hf auth login; hf download o/n --revision r --exclude *.bin --exclude original/*",
		"1.0rc1":    "hf auth login; hf download o/n --revision r --exclude *.bin --exclude original/*",
		"2.4.0":     "hf auth login; hf download o/n --revision r --exclude *.bin --exclude original/*",
		"2":         "hf auth login; hf download o/n --revision r --exclude *.bin --exclude original/*",
	} {
		c, ok := ParseCLI(version)
		got := strings.Join(c.Login(), " ") + "; " + strings.Join(c.Download(pin), " ")
		if !ok || got != want {
			t.Errorf("%s: %t, %s", version, ok, got)
		}
	}
	for _, version := range []string{"", "x", "-1.0", "1.x", "latest"} {
		if c, ok := ParseCLI(version); ok {
			t.Errorf("%q is parsed as %+v", version, c)
		}
	}
	pin.Exclude = nil
	if got := strings.Join(CLI{1, 0}.Download(pin), " "); got != "hf download o/n --revision r" {
		t.Error(got)
	}
}
