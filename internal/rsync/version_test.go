package rsync

import "testing"

// TestConfinesPaths tests the first release that keeps a remote rsync inside the folder.
func TestConfinesPaths(t *testing.T) {
	for text, want := range map[string]bool{
		"rsync  version 2.6.9  protocol version 29": false,
		"rsync  version 3.2.7  protocol version 31": false,
		"rsync  version 3.4.0  protocol version 32": true,
		"rsync  version 4.0.1  protocol version 40": true,
		"openrsync: protocol version 29":            true,
		"something else":                            true, // refused elsewhere
	} {
		if got := ParseVersion(text).ConfinesPaths(); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
