package download

import "io"

// Ranges reads a file of a server by ranges, and keeps the last one. It is not safe for concurrent
// use.
type Ranges struct {
	Size int64                                         // of the file, in bytes
	Part int64                                         // bytes of one range
	Get  func(from, to int64) (part []byte, err error) // returns a range, such as Client.Range

	start int64 // of last
	last  []byte
}

// ReadAt implements io.ReaderAt.
func (r *Ranges) ReadAt(b []byte, at int64) (n int, err error) {
	for n < len(b) && at+int64(n) < r.Size {
		from := at + int64(n)
		if from < r.start || from >= r.start+int64(len(r.last)) {
			r.start = from
			if r.last, err = r.Get(from, min(from+r.Part, r.Size)); err != nil {
				return n, err
			}
		}
		n += copy(b[n:], r.last[from-r.start:])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
