package apply

import (
	"os"
	"strings"
)

// mountBelow returns a mount point at or below dir, "" for none. It reads the mount
// table, since a bind mount may have the device number of dir.
func mountBelow(dir string) (string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\043`, "#", `\134`, `\`) // proc(5)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 4 {
			if at := unescape.Replace(f[4]); at == dir || strings.HasPrefix(at, dir+"/") {
				return at, nil
			}
		}
	}
	return "", nil
}
