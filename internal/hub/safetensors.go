package hub

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// headerLimit is the longest header that the format allows, in bytes.
const headerLimit = 100_000_000

// frontSize is how much of a file is read at once for its header, in bytes. Those of
// published shards have ten to fifty thousand.
const frontSize = 16 << 10

// A shapeError is a file that is not as its format asks.
type formatError struct {
	what   string // word of a facts.ModelFault
	detail string
}

func (e *formatError) Error() string { return e.what + ": " + e.detail }

// checkHeader reads the header of a safetensors file of size bytes and compares it with
// that size. found is called with the name of each tensor. A *shapeError says what is
// wrong with the file; other errors come from reading.
//
// The format: 8 bytes with the length N of the header, little-endian; N bytes of JSON
// that begin with {; then the data, without holes, to which the header's offsets refer.
func checkHeader(r io.ReaderAt, size int64, found func(tensor string)) error {
	if size < 8 {
		return &formatError{"size", fmt.Sprintf("%d bytes, too short for a header", size)}
	}
	front := make([]byte, min(size, frontSize)) // as a rule the whole header
	if _, err := r.ReadAt(front, 0); err != nil {
		return err
	}
	length := binary.LittleEndian.Uint64(front)
	switch {
	case length > headerLimit:
		return &formatError{"header", fmt.Sprintf("a header of %d bytes, more than %d", length, headerLimit)}
	case length > uint64(size-8):
		return &formatError{"size", fmt.Sprintf("%d bytes, too short for its header of %d", size, length)}
	}
	end := 8 + int64(length)
	data, err := readHeader(io.MultiReader(
		bytes.NewReader(front[8:min(end, int64(len(front)))]),
		io.NewSectionReader(r, int64(len(front)), max(0, end-int64(len(front)))),
	), found)
	if err != nil {
		return err
	}
	if want := end + data; want != size {
		return &formatError{"size", fmt.Sprintf("%d bytes, %d by its header", size, want)}
	}
	return nil
}

// tensor is what a header says of one tensor, as far as it decides the size.
type tensor struct {
	Offsets []int64 `json:"data_offsets"`
}

// readHeader reads the JSON of a header and returns the bytes of data that it describes.
// It reads member by member: of a long header no more than one is in memory.
func readHeader(r io.Reader, found func(string)) (data int64, err error) {
	var first [1]byte
	if _, err := io.ReadFull(r, first[:]); err != nil || first[0] != '{' {
		return 0, headerError(err, "does not begin with {")
	}
	d := json.NewDecoder(io.MultiReader(bytes.NewReader(first[:]), r))
	if _, err := d.Token(); err != nil {
		return 0, headerError(err, "")
	}
	var sum int64
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return 0, headerError(err, "")
		}
		name, ok := key.(string)
		if !ok {
			return 0, headerError(nil, "a member without a name")
		}
		if name == "__metadata__" {
			var metadata map[string]string
			if err := d.Decode(&metadata); err != nil {
				return 0, headerError(err, "")
			}
			continue
		}
		var t tensor
		if err := d.Decode(&t); err != nil {
			return 0, headerError(err, "")
		}
		if len(t.Offsets) != 2 || t.Offsets[0] < 0 || t.Offsets[1] < t.Offsets[0] {
			return 0, headerError(nil, fmt.Sprintf("tensor %q has no place", clip(name)))
		}
		if sum += t.Offsets[1] - t.Offsets[0]; sum < 0 {
			return 0, headerError(nil, "tensors of more bytes than there can be")
		}
		data = max(data, t.Offsets[1])
		found(name)
	}
	if _, err := d.Token(); err != nil {
		return 0, headerError(err, "")
	}
	if err := onlyPadding(io.MultiReader(d.Buffered(), r)); err != nil {
		return 0, err
	}
	if sum != data {
		return 0, headerError(nil, fmt.Sprintf("tensors of %d bytes in %d bytes of data", sum, data))
	}
	return data, nil
}

// headerFault tells a header that is wrong from one that could not be read.
func headerError(err error, detail string) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &syntax), errors.As(err, &kind):
		if detail == "" {
			detail = "its header is no JSON of tensors"
		}
		return &formatError{"header", detail}
	}
	return err
}

// onlyPadding reads to the end, where nothing may stand but the spaces with which writers
// align the data.
func onlyPadding(r io.Reader) error {
	var part [512]byte
	for {
		n, err := r.Read(part[:])
		if len(bytes.Trim(part[:n], " \n\t\r")) > 0 {
			return headerError(nil, "more than one object")
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// clip shortens a foreign name for a message.
func clip(name string) string {
	const longest = 80
	if len(name) <= longest {
		return name
	}
	return name[:longest] + "…"
}
