package cli

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// embeddedPython is a Go module with python-build-standalone builds, for machines that can
// download Go modules only.
const embeddedPython = "github.com/kluctl/go-embed-python@v0.0.0-3.10.16-20241219-1"

// embeddedPythonDir returns the directory of the module, or "" if it cannot be downloaded.
var embeddedPythonDir = sync.OnceValue(func() string {
	cmd := exec.Command("go", "mod", "download", "-json", embeddedPython)
	cmd.Dir = os.TempDir() // outside of this module, which does not need it
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	var m struct{ Dir string }
	if json.Unmarshal(out, &m) != nil {
		return ""
	}
	if _, err := os.Stat(filepath.Join(m.Dir, pythonData, "files.json")); err != nil {
		return ""
	}
	return m.Dir
})

// The directories of the module with the build of this platform, and with its pip.
var (
	pythonData = filepath.Join("python", "internal", "data", runtime.GOOS+"-"+runtime.GOARCH)
	pipData    = filepath.Join("pip", "internal", "data")
)

// pythonBuild writes an archive like those of python-build-standalone, with one directory
// "python", and sets SHA256 to its digest: pythonbuild FILE.
func pythonBuild(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: pythonbuild FILE")
	}
	file, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	digest := sha256.New()
	packed := gzip.NewWriter(io.MultiWriter(file, digest))
	archive := tar.NewWriter(packed)
	ts.Check(packFiles(archive, filepath.Join(embeddedPythonDir(), pythonData), "python"))
	ts.Check(packFiles(archive, filepath.Join(embeddedPythonDir(), pipData), "python/lib/python3.10/site-packages"))
	ts.Check(errors.Join(archive.Close(), packed.Close(), file.Close()))
	ts.Setenv("SHA256", fmt.Sprintf("%x", digest.Sum(nil)))
}

// packFiles writes the files that files.json lists, below a directory of the archive.
func packFiles(w *tar.Writer, dir, below string) error {
	list, err := os.ReadFile(filepath.Join(dir, "files.json"))
	if err != nil {
		return err
	}
	var index struct {
		Files []struct {
			Name       string
			Perm       fs.FileMode
			Symlink    string
			Compressed bool
		}
	}
	if err := json.Unmarshal(list, &index); err != nil {
		return err
	}
	for _, f := range index.Files {
		h := &tar.Header{Name: path.Join(below, f.Name), Mode: int64(f.Perm.Perm()), Typeflag: tar.TypeReg, Linkname: f.Symlink}
		var content []byte
		switch {
		case f.Perm.IsDir():
			h.Typeflag = tar.TypeDir
		case f.Symlink != "":
			h.Typeflag = tar.TypeSymlink
		default:
			if content, err = readMember(filepath.Join(dir, f.Name), f.Compressed); err != nil {
				return err
			}
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
	}
	return nil
}

func readMember(file string, compressed bool) ([]byte, error) {
	if !compressed {
		return os.ReadFile(file)
	}
	f, err := os.Open(file + ".gz")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(plain)
}
