package probes

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// ReadText returns the content of a text file for showing how it differs. path
// is spelled as in facts. A link, a path that leads through one, a file of more
// than limit bytes, and what is not UTF-8 or holds a zero byte are errors.
func (p *Prober) ReadText(path string, limit int64) (string, error) {
	l := newLooker(p, &ways{})
	f, err := l.look(path)
	switch {
	case err != nil:
		return "", err
	case f.Parent != "":
		return "", fmt.Errorf("%s lies behind the %s", path, f.Parent)
	case f.Type == facts.Absent:
		return "", &fs.PathError{Op: "read", Path: path, Err: fs.ErrNotExist}
	case f.Type != facts.Regular:
		return "", fmt.Errorf("%s is not a file (%s)", path, f.Type)
	case f.Size > limit:
		return "", fmt.Errorf("%s has %d bytes, more than %d", path, f.Size, limit)
	}
	file, err := os.OpenFile(p.abs(path), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return "", err
	}
	if int64(len(b)) > limit {
		return "", fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	for _, c := range b {
		if c == 0 {
			return "", fmt.Errorf("%s is not text", path)
		}
	}
	if !utf8.Valid(b) {
		return "", fmt.Errorf("%s is not text", path)
	}
	return string(b), nil
}
