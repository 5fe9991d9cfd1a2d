package apply

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"path"
	"strconv"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// shebangSize is the maximum length of the first lines of a script that name its
// interpreter, in bytes.
const shebangSize = 8 << 10

// shebangContains reports whether the interpreter of a script is in dir.
func shebangContains(name, dir string) (bool, error) {
	head, err := rawfile.Head(name, make([]byte, shebangSize))
	if err != nil {
		return false, err
	}
	return bytes.Contains(shebang(head), []byte(dir+"/")), nil
}

// shebang returns the lines of a script that name its interpreter: the first, and after
// #!/bin/sh the next two, which pip and uv write if the path has blanks or is too long.
func shebang(text []byte) []byte {
	if !bytes.HasPrefix(text, []byte("#!")) {
		return nil
	}
	lines := 1
	if bytes.HasPrefix(text, []byte("#!/bin/sh\n")) {
		lines = 3
	}
	end := 0
	for range lines {
		i := bytes.IndexByte(text[end:], '\n')
		if i < 0 {
			return text
		}
		end += i + 1
	}
	return text[:end]
}

// replaceShebangPath replaces the path of one generation by that of another in the
// shebang.
func replaceShebangPath(text []byte, from, to string) []byte {
	head := shebang(text)
	moved := bytes.ReplaceAll(head, []byte(from+"/"), []byte(to+"/"))
	return append(moved, text[len(head):]...)
}

// updateRecord returns a RECORD with the new digests and sizes of the files in written,
// whose keys are paths relative to the environment.
func updateRecord(record []byte, sitePackages string, written map[string][]byte) ([]byte, error) {
	r := csv.NewReader(bytes.NewReader(record))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read RECORD: %w", err)
	}
	found := 0
	for _, row := range rows {
		text, ok := written[path.Join(sitePackages, row[0])]
		if !ok || len(row) < 3 {
			continue
		}
		sum := sha256.Sum256(text)
		row[1] = "sha256=" + base64.RawURLEncoding.EncodeToString(sum[:])
		row[2] = strconv.Itoa(len(text))
		found++
	}
	if found != len(written) {
		return nil, fmt.Errorf("RECORD lists %d of %d scripts", found, len(written))
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(rows); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
