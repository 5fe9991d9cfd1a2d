package pyenv

import (
	"bytes"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// strayScripts lists the programs in bin that start the interpreter of another
// generation: those of a project that was moved or copied, and what was built
// from such a one. They run, as long as the other is there, and import the wrong
// packages.
func strayScripts(genDir string) ([]facts.Damage, error) {
	names, err := Scripts(genDir)
	if gone(err) {
		return nil, nil // a missing bin is found elsewhere
	}
	if err != nil {
		return nil, err
	}
	var stray []facts.Damage
	for _, name := range names {
		head, err := scriptHead(filepath.Join(genDir, "bin", name))
		if err != nil {
			return nil, err
		}
		kept := []byte("/" + layout.Dir + "/")
		if bytes.Contains(head, kept) && !bytes.Contains(head, []byte(genDir+"/bin/")) {
			stray = append(stray, facts.Damage{What: "moved", Path: path.Join("bin", name)})
		}
	}
	return stray, nil
}

// scriptHead returns the lines that say what runs a script: the first, and the two
// after #!/bin/sh that pip and uv write where the path is too long for it. A
// program of another sort has none.
func scriptHead(file string) ([]byte, error) {
	f, err := os.Open(file)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	head = head[:n]
	if !bytes.HasPrefix(head, []byte("#!")) {
		return nil, nil
	}
	lines := bytes.SplitN(head, []byte("\n"), 4)
	if !bytes.HasPrefix(lines[0], []byte("#!/bin/sh")) {
		return lines[0], nil
	}
	return bytes.Join(lines[:min(3, len(lines))], []byte("\n")), nil
}
