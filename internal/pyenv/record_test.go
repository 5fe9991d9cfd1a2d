package pyenv

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestParseRecord(t *testing.T) {
	const digest = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
	tests := []struct {
		name, record, path string
		size               int64
		hashed             bool
		err                string
	}{
		{"plain", "six.py,sha256=" + digest + ",0\n", site + "/six.py", 0, true, ""},
		{"no last line end", "six.py,sha256=" + digest + ",0", site + "/six.py", 0, true, ""},
		{"padded, CRLF", "six.py,sha256=" + digest + "=,12\r\n", site + "/six.py", 12, true, ""},
		{"a script", "../../../bin/nltk,sha256=" + digest + ",296\n", "bin/nltk", 296, true, ""},
		{"a header", "../../../include/site/python3.10/greenlet/greenlet.h,,\n", "include/site/python3.10/greenlet/greenlet.h", -1, false, ""},
		{"no digest", "six-1.dist-info/RECORD,,\n", site + "/six-1.dist-info/RECORD", -1, false, ""},
		{"quoted", `"a, ""b"".py",,3` + "\n", site + `/a, "b".py`, 3, false, ""},
		{"quoted over two lines", "\"a\nb.py\",,3\n", site + "/a\nb.py", 3, false, ""},
		{"dots in names", "a/..b/.c/d...py,,\n", site + "/a/..b/.c/d...py", -1, false, ""},
		{"sha512", "x,sha512=" + strings.Repeat("A", 86) + ",1\n", site + "/x", 1, true, ""},
		{"leads out", "../../../../etc/passwd,,\n", "", 0, false, "leads out"},
		{"leads out in the middle", "a/../../../../../x,,\n", "", 0, false, "leads out"},
		{"the environment itself", "../../..,,\n", "", 0, false, "leads out"},
		{"absolute", "/etc/passwd,,\n", "", 0, false, "absolute"},
		{"zero byte", "a\x00b,,\n", "", 0, false, "zero byte"},
		{"no name", ",sha256=" + digest + ",1\n", "", 0, false, "no name"},
		{"one field", "six.py\n", "", 0, false, "one field"},
		{"four fields", "six.py,,1,2\n", "", 0, false, "three fields"},
		{"open quote", `"six.py,,1`, "", 0, false, "does not end"},
		{"short digest", "six.py,sha256=abc,1\n", "", 0, false, "wrong length"},
		{"weak digest", "six.py,md5=abc,1\n", "", 0, false, "unknown algorithm"},
		{"negative size", "six.py,,-1\n", "", 0, false, "size"},
		{"size not a number", "six.py,,many\n", "", 0, false, "size"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			for e, err := range ParseRecord([]byte("\n"+tt.record), site) {
				n++
				if tt.err != "" {
					if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.HasPrefix(err.Error(), "line 2: ") {
						t.Errorf("error %v, want %q", err, tt.err)
					}
					continue
				}
				if err != nil || e.Path != tt.path || e.Size != tt.size || e.HasHash != tt.hashed {
					t.Errorf("got %+v, %v", e, err)
				}
			}
			if n != 1 {
				t.Errorf("%d entries, want 1", n)
			}
		})
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add("six.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n../../../bin/x,,\n")
	f.Add("\"a,\"\"b\n\",,1\r\n\r\nx/,,\n")
	f.Add("../../../../x,,\n")
	f.Fuzz(func(t *testing.T, record string) {
		for e, err := range ParseRecord([]byte(record), site) {
			if err != nil {
				if !strings.HasPrefix(err.Error(), "line ") {
					t.Errorf("%q gives an error without a line: %v", record, err)
				}
				return
			}
			if !filepath.IsLocal(e.Path) || filepath.Clean(e.Path) != e.Path || e.Path == "." || e.Size < -1 {
				t.Errorf("%q gives %+v", record, e)
			}
		}
	})
}
