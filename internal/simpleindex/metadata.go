package simpleindex

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"

	"github.com/reconcile-ml/reconcile/internal/download"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

const (
	// maxMetadata is the maximum size of METADATA. The largest have some 100 kB.
	maxMetadata = 4 << 20
	// maxRanges is how much of a wheel is read at most: its directory, and METADATA.
	maxRanges = 16 << 20
	// rangeSize is the size of one range.
	rangeSize = 128 << 10
)

// Metadata returns the METADATA of a wheel of the project name, from the place that Fetch would
// download it from. It reads only parts of the wheel, whose size must be known, so that the content
// is not compared with its digest.
func (s *Source) Metadata(ctx context.Context, name string, wheel lock.Wheel) ([]byte, error) {
	found := &url.URL{}
	f := &fetch{Source: s, project: pep.Normalize(name), wheel: wheel, found: found}
	if err := f.run(ctx); err != nil {
		return nil, err
	}
	if found.Scheme == "file" {
		file, err := rawfile.OpenFile(found.Path, 0)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return nil, err
		}
		return readMetadata(file, info.Size())
	}
	return readMetadata(s.ranges(ctx, found.String(), wheel.Size), wheel.Size)
}

// readMetadata reads METADATA of the directory for metadata at the top of a wheel.
func readMetadata(r io.ReaderAt, size int64) ([]byte, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return nil, err
	}
	for _, member := range archive.File {
		if matched, _ := path.Match("*.dist-info/METADATA", member.Name); !matched {
			continue
		}
		content, err := member.Open()
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		n, err := b.ReadFrom(io.LimitReader(content, maxMetadata+1))
		if n > maxMetadata {
			err = fmt.Errorf("METADATA is larger than %d bytes", maxMetadata)
		}
		return b.Bytes(), errors.Join(err, content.Close())
	}
	return nil, errors.New("the wheel has no METADATA")
}

// ranges reads a wheel of a server by ranges, at most maxRanges bytes.
func (s *Source) ranges(ctx context.Context, address string, size int64) *download.Ranges {
	var total int64
	return &download.Ranges{Size: size, Part: rangeSize, Get: func(from, to int64) ([]byte, error) {
		if total += to - from; total > maxRanges {
			return nil, fmt.Errorf("the directory of the wheel is larger than %d bytes", maxRanges)
		}
		return s.client.Range(ctx, address, from, to)
	}}
}
