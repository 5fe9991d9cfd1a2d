package audit

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/osv"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

const (
	maxRecord  = 16 << 20  // bytes of a file with one record; the largest have some 200 kB
	maxFile    = 512 << 20 // bytes of a file with many records
	maxKept    = 128 << 20 // bytes of files with records about locked packages; of PyPI some 20 MB
	maxRecords = 1 << 20   // PyPI has some 30,000, most of them malicious packages
)

// A database collects the records about the locked packages.
type database struct {
	path    string // as given
	wanted  map[string]bool
	records map[string][]osv.Record // by name
	newest  time.Time
	count   int
	kept    int // records
	bytes   int // of the files with them
}

// searchDatabase returns the records that affect the locked packages, and when the latest record of
// the database was modified.
func (a *auditor) searchDatabase() (map[release][]osv.Record, time.Time, error) {
	d := &database{path: a.Database, wanted: map[string]bool{}, records: map[string][]osv.Record{}}
	for _, s := range a.subjects {
		for _, p := range s.packages {
			d.wanted[p.Name] = true
		}
	}
	name, err := a.project.Config.Path(a.Database)
	if err == nil {
		err = d.read(name)
	}
	if err == nil && d.count == 0 {
		err = errors.New("it has no records of PyPI")
	}
	if err != nil {
		return nil, time.Time{}, &diag.Problem{
			Code: "audit.database", Pos: diag.Pos{File: a.Database}, Summary: "the database of vulnerabilities cannot be read", Found: err.Error(),
			Hint: "name the all.zip that OSV publishes for PyPI, a folder of its JSON files, or a file with records in JSON; " + getDatabase,
		}
	}
	found := map[release][]osv.Record{}
	for _, s := range a.subjects {
		for _, p := range s.packages {
			found[p.release()] = osv.Affecting(d.records[p.Name], p.Name, p.Version)
		}
	}
	return found, d.newest, nil
}

// add keeps a record if it is about a locked package.
func (d *database) add(r osv.Record) {
	names := r.Names()
	if len(names) == 0 {
		return
	}
	d.count++
	if r.Modified.After(d.newest) {
		d.newest = r.Modified
	}
	for _, name := range names {
		if d.wanted[pep.Normalize(name)] {
			d.records[name] = append(d.records[name], r)
			d.kept++
		}
	}
}

// addAll adds the records of one of many files.
func (d *database) addAll(text []byte) error {
	before := d.kept
	if err := osv.ParseAll(text, d.add); err != nil {
		return err
	}
	if d.kept > before {
		d.bytes += len(text)
	}
	if d.bytes > maxKept {
		return fmt.Errorf("the records about the locked packages are larger than %s", bytesize.Format(maxKept))
	}
	return nil
}

func (d *database) read(name string) error {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		if name, err = filepath.EvalSymlinks(name); err != nil { // WalkDir follows no link
			return err
		}
		return d.readDir(name)
	}
	f, err := rawfile.OpenFile(name, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 4)
	if n, err := f.ReadAt(head, 0); err == nil && bytes.Equal(head[:n], []byte("PK\x03\x04")) {
		return d.readZip(f)
	}
	text, err := rawfile.ReadStream(f, filepath.Base(name), maxFile)
	if err != nil {
		return err
	}
	return osv.ParseAll(text, d.add)
}

// readZip reads an archive with one record in each file.
func (d *database) readZip(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	archive, err := zip.NewReader(f, info.Size())
	if err != nil {
		return err
	}
	if len(archive.File) > maxRecords {
		return fmt.Errorf("it has more than %d files", maxRecords)
	}
	for _, member := range archive.File {
		if !strings.HasSuffix(member.Name, ".json") {
			continue
		}
		if err := d.member(member); err != nil {
			return fmt.Errorf("%s: %w", member.Name, err)
		}
	}
	return nil
}

// member reads one file of an archive.
func (d *database) member(member *zip.File) error {
	r, err := member.Open()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r, maxRecord+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	if n > maxRecord {
		return fmt.Errorf("it is larger than %d bytes", maxRecord)
	}
	return d.addAll(b.Bytes())
}

// readDir reads the JSON files in a folder and in those below it, such as those of the advisory
// database of GitHub.
func (d *database) readDir(dir string) error {
	files := 0
	return filepath.WalkDir(dir, func(name string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && name != dir:
			return filepath.SkipDir
		case !entry.Type().IsRegular() || !strings.HasSuffix(name, ".json"):
			return nil
		}
		if files++; files > maxRecords {
			return fmt.Errorf("it has more than %d files", maxRecords)
		}
		text, err := rawfile.ReadFile(name, maxRecord, rawfile.NoFollow)
		if err == nil {
			err = d.addAll(text)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}
