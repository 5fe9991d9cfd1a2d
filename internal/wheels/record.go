package wheels

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/csv"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
)

// recorded is the line of a RECORD for a file. Files that need no line have the zero value
// with size -1.
type recorded struct {
	algorithm string // "sha256", "sha384", "sha512"; "" for none
	sum       string // raw bytes
	size      int64  // -1 if not recorded
}

// recordBase is an invented directory for the paths of a RECORD in an archive, so that a
// path outside can be recognised.
const recordBase = "wheel"

// compareRecord sets the digests that the files must have. Every file of the archive must
// be recorded once with a digest, and every recorded file must be in the archive. RECORD
// itself has no digest, and its signatures need no line.
func (a *archive) compareRecord(infoDir string, record []byte) error {
	name := infoDir + "/RECORD"
	lines := make(map[string]recorded, len(a.files))
	for e, err := range pyenv.ParseRecord(record, recordBase) {
		if err != nil {
			return invalid("%s: %w", name, err)
		}
		file, ok := strings.CutPrefix(e.Path, recordBase+"/")
		if !ok {
			return invalid("%s lists %q, which is outside the archive", name, e.Path)
		}
		r := recorded{size: e.Size}
		switch {
		case e.HasHash && e.Algorithm == "":
			r.algorithm, r.sum = "sha256", string(e.SHA256[:])
		case e.HasHash:
			r.algorithm, r.sum = e.Algorithm, e.Sum
		}
		if before, ok := lines[file]; ok && before != r {
			return invalid("%s lists %q twice", name, file)
		}
		lines[file] = r
	}
	for i := range a.files {
		m := &a.files[i]
		r, ok := lines[m.Path]
		delete(lines, m.Path)
		switch isRecord := m.Path == name; {
		case !ok && (isRecord || m.Path == name+".jws" || m.Path == name+".p7s"):
			r.size = -1
		case !ok:
			return invalid("%q is not listed in %s", m.Path, name)
		case r.algorithm == "" && !isRecord && m.Path != name+".jws" && m.Path != name+".p7s":
			return invalid("%q has no digest in %s", m.Path, name)
		case isRecord: // a digest of itself cannot be right
			r = recorded{size: -1}
		case r.size >= 0 && r.size != m.Size:
			return invalid("%q has %d bytes, not %d as in %s", m.Path, m.Size, r.size, name)
		}
		m.want = r
	}
	missing := ""
	for file := range lines {
		if missing == "" || file < missing {
			missing = file
		}
	}
	if missing != "" {
		return invalid("%q is listed in %s and is not in the archive", missing, name)
	}
	return nil
}

// A recordLine is a line of the RECORD of an environment.
type recordLine struct {
	path   string // relative to the environment
	sha256 facts.SHA256
	size   int64
}

// encodeRecord returns a RECORD in the directory infoDir of site-packages. It lists itself
// without a digest.
func encodeRecord(lines []recordLine, sitePackages, infoDir string) []byte {
	slices.SortFunc(lines, func(a, b recordLine) int { return cmp.Compare(a.path, b.path) })
	up := strings.Repeat("../", strings.Count(sitePackages, "/")+1)
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	write := func(fields ...string) { _ = w.Write(fields) } // to memory
	for _, l := range lines {
		name, ok := strings.CutPrefix(l.path, sitePackages+"/")
		if !ok {
			name = up + l.path
		}
		write(name, "sha256="+base64.RawURLEncoding.EncodeToString(l.sha256[:]), strconv.FormatInt(l.size, 10))
	}
	write(infoDir+"/RECORD", "", "")
	w.Flush()
	return b.Bytes()
}
