package hub

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// headerLimit is the longest header in the format, in bytes.
const headerLimit = 100_000_000

// frontSize is the size of the first read of a file, in bytes. The headers of published
// shards have ten to fifty thousand bytes.
const frontSize = 16 << 10

// A formatError is a violation of a file format.
type formatError struct {
	what   string // What of a facts.ModelFault
	detail string
}

func (e *formatError) Error() string { return e.what + ": " + e.detail }

// checkHeader compares the header of a safetensors file with its size in bytes. It calls
// found for each tensor. It returns a *formatError for a malformed file, and read errors.
//
// The format: 8 bytes with the length N of the header, little-endian; N bytes of JSON that
// begin with {; then the data, without holes, which the offsets in the header refer to.
func checkHeader(r io.ReaderAt, size int64, found func(tensor string)) error {
	if size < 8 {
		return &formatError{"size", fmt.Sprintf("%d bytes, too short for a header", size)}
	}
	front := make([]byte, min(size, frontSize)) // usually has the complete header
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
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &syntax), errors.As(err, &kind):
		return &formatError{"header", "malformed JSON"}
	case err != nil:
		return err
	case end+data != size:
		return &formatError{"size", fmt.Sprintf("%d bytes, %d by its header", size, end+data)}
	}
	return nil
}

// readHeader reads the JSON of a header and returns the bytes of data that it describes. It
// keeps no more than one member in memory.
func readHeader(r io.Reader, found func(string)) (data int64, err error) {
	first := make([]byte, 1)
	if _, err := io.ReadFull(r, first); err != nil {
		return 0, err
	}
	if first[0] != '{' {
		return 0, &formatError{"header", "does not begin with {"}
	}
	d := json.NewDecoder(io.MultiReader(bytes.NewReader(first), r))
	if _, err := d.Token(); err != nil {
		return 0, err
	}
	var sum int64
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return 0, err
		}
		name, _ := key.(string) // the decoder refuses other keys
		if name == "__metadata__" {
			if err := d.Decode(&map[string]string{}); err != nil {
				return 0, err
			}
			continue
		}
		var t struct {
			Offsets []int64 `json:"data_offsets"`
		}
		if err := d.Decode(&t); err != nil {
			return 0, err
		}
		if len(t.Offsets) != 2 || t.Offsets[0] < 0 || t.Offsets[1] < t.Offsets[0] {
			return 0, &formatError{"header", fmt.Sprintf("tensor %q has no valid data_offsets", clip(name))}
		}
		if sum += t.Offsets[1] - t.Offsets[0]; sum < 0 {
			return 0, &formatError{"header", "the sizes of the tensors overflow"}
		}
		data = max(data, t.Offsets[1])
		found(name)
	}
	if _, err := d.Token(); err != nil {
		return 0, err
	}
	// Only spaces may follow, with which writers align the data.
	padding := bufio.NewReader(io.MultiReader(d.Buffered(), r))
	for {
		c, err := padding.ReadByte()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
		if !strings.ContainsRune(" \n\t\r", rune(c)) {
			return 0, &formatError{"header", "more than one object"}
		}
	}
	if sum != data {
		return 0, &formatError{"header", fmt.Sprintf("tensors of %d bytes in %d bytes of data", sum, data)}
	}
	return data, nil
}

// clip shortens an untrusted name for a message.
func clip(name string) string {
	const longest = 80
	if len(name) <= longest {
		return name
	}
	return name[:longest] + "…"
}
