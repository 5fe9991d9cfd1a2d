package mounts

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// table is the mount table of this process. See proc(5).
const table = "/proc/self/mountinfo"

// maxTable is the largest mount table in bytes: room for 100,000 mounts, the default limit of
// the kernel.
const maxTable = 64 << 20

// Of returns the mount that holds an existing path. Links are followed.
func Of(path string) (Mount, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return Mount{}, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	info, err := rawfile.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd), 4<<10, 0)
	if err != nil {
		return Mount{}, err
	}
	_, id, _ := strings.Cut(string(info), "mnt_id:")
	id, _, _ = strings.Cut(strings.TrimSpace(id), "\n")
	text, err := rawfile.ReadFile(table, maxTable, 0)
	if err != nil {
		return Mount{}, err
	}
	for line := range strings.Lines(string(text)) {
		if number, m, ok := parse(line); ok && number == id {
			return m, nil
		}
	}
	return Mount{}, fmt.Errorf("%s has no mount %s, which holds %s", table, id, path)
}

// Below returns a mount point at or below dir, "" for none. It reads the mount table, since
// a bind mount may have the device number of dir.
func Below(dir string) (string, error) {
	text, err := rawfile.ReadFile(table, maxTable, 0)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if _, m, ok := parse(line); ok && (m.Point == dir || strings.HasPrefix(m.Point, dir+"/")) {
			return m.Point, nil
		}
	}
	return "", nil
}

// parse returns the number and the mount of one line of the mount table.
func parse(line string) (id string, m Mount, ok bool) {
	f := strings.Fields(line)
	if len(f) < 7 {
		return "", m, false
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\043`, "#", `\134`, `\`)
	m.Point = unescape.Replace(f[4])
	for i := 6; i+1 < len(f); i++ {
		if f[i] == "-" { // after optional fields
			m.Type = f[i+1]
			return f[0], m, true
		}
	}
	return "", m, false
}
