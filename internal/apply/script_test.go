package apply

import (
	"bytes"
	"testing"
)

// FuzzScripts changes the shebang of any script, and any RECORD.
func FuzzScripts(f *testing.F) {
	f.Add([]byte("#!/g/one/bin/python\nprint()\n"), []byte("../../../bin/x,sha256=a,1\nb,,\n"))
	f.Add([]byte("#!/bin/sh\n'''exec' '/g/one/bin/python' \"$0\"\n' '''"), []byte("\"a\nb\",,\n"))
	f.Fuzz(func(t *testing.T, text, record []byte) {
		moved := replaceShebangPath(bytes.Clone(text), "/g/one", "/g/two")
		if bytes.Contains(shebang(moved), []byte("/g/one/")) {
			t.Fatalf("%q still contains the old path", moved)
		}
		if !bytes.Equal(replaceShebangPath(bytes.Clone(moved), "/g/two", "/g/one"), text) && !bytes.Contains(shebang(text), []byte("/g/two/")) {
			t.Fatalf("%q does not come back from %q", text, moved)
		}
		once, err := updateRecord(record, "lib", map[string][]byte{"bin/x": text})
		if err != nil {
			return
		}
		twice, err := updateRecord(once, "lib", map[string][]byte{"bin/x": text})
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%q becomes %q, then %q: %v", record, once, twice, err)
		}
	})
}
