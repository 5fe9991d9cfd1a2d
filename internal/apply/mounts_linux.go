package apply

import (
	"os"
	"strconv"
	"strings"
)

// mountBelow returns a mount point at or below dir, "" for none. It reads the mount
// table, since a bind mount may have the device number of dir.
func mountBelow(dir string) (string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 4 {
			if at := unescapeMount(f[4]); at == dir || strings.HasPrefix(at, dir+"/") {
				return at, nil
			}
		}
	}
	return "", nil
}

// unescapeMount decodes the octal escapes of blanks in mountinfo (proc(5)).
func unescapeMount(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
