package pyenv

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// SealVersion is the format version of the seals that EncodeSeal writes.
const SealVersion = 1

// A Seal is the verified content of a generation when it was built. It is the last file
// that a build writes: a directory without one is not a generation.
type Seal struct {
	Version   int             `json:"version"`
	Digest    string          `json:"digest"` // of all inputs that determine the content; see the kind venv
	Python    string          `json:"python"` // "3.10.13"
	Base      string          `json:"base"`   // the interpreter it was created from
	Created   string          `json:"created,omitempty"`
	Installer string          `json:"installer,omitempty"` // "uv 0.13.9"; informational
	Prefix    string          `json:"prefix,omitempty"`    // absolute path at which it was built and works
	Packages  []facts.Package `json:"packages"`            // by normalised name
	// Conda are the conda packages, by name, and CondaDists the Python distributions that
	// they contain. Both are empty in an environment of type venv.
	Conda      []facts.CondaPackage `json:"conda,omitempty"`
	CondaDists []facts.Package      `json:"conda_dists,omitempty"`
	// Skeleton is every file that belongs to no distribution, written by venv, uv or
	// reconcile (launchers). Without it these files are checked by name only.
	Skeleton []SkeletonFile `json:"skeleton,omitempty"`
	// Bytecode is the digest of the list of the bytecode that the build wrote; see
	// EncodeBytecodeList.
	Bytecode facts.SHA256 `json:"bytecode,omitzero"`
}

// A SkeletonFile is a file or link of the environment itself.
type SkeletonFile struct {
	Path   string       `json:"path"` // relative to the generation
	Size   int64        `json:"size,omitempty"`
	SHA256 facts.SHA256 `json:"sha256,omitzero"`
	Target string       `json:"target,omitempty"` // links only, as written
}

// ErrNewerSeal means that a seal has a later format version. Such a generation must not
// be changed.
var ErrNewerSeal = errors.New("was sealed by a newer reconcile")

// sealEnd separates the checksum from the text that it covers.
const sealEnd = ",\n  \"checksum\": \""

// EncodeSeal returns the text of a seal file, with the format version and a
// checksum over every byte before it.
func EncodeSeal(s Seal) ([]byte, error) {
	s.Version = SealVersion
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode seal: %w", err)
	}
	b = bytes.TrimSuffix(b, []byte("\n}"))
	sum := sha256.Sum256(b)
	b = append(b, sealEnd...)
	b = hex.AppendEncode(b, sum[:])
	return append(b, "\"\n}\n"...), nil
}

// ReadSeal reads the seal of a generation. The error wraps fs.ErrNotExist if the build was
// not completed, ErrNewerSeal if this program is too old, and ErrSeal if the seal is
// damaged. Any other error means that it could not be read.
func ReadSeal(genDir string) (Seal, error) {
	name := filepath.Join(genDir, filepath.FromSlash(layout.Seal("")))
	b, err := readFile(name, nil, maxSeal)
	if err != nil {
		return Seal{}, err
	}
	s, err := parseSeal(b)
	if err != nil {
		return Seal{}, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// ErrSeal means that a seal has a wrong checksum or format.
var ErrSeal = errors.New("the seal is damaged")

// parseSeal reads a seal exactly as EncodeSeal writes it.
func parseSeal(b []byte) (Seal, error) {
	body, checksum, _ := bytes.Cut(b, []byte(sealEnd))
	sum := sha256.Sum256(body)
	var s Seal
	err := json.Unmarshal(b, &s)
	switch {
	case s.Version > SealVersion: // its checksum may have another form
		return Seal{}, ErrNewerSeal
	case err != nil:
		return Seal{}, fmt.Errorf("%w: %w", ErrSeal, err)
	case s.Version < 1 || string(checksum) != hex.EncodeToString(sum[:])+"\"\n}\n":
		return Seal{}, ErrSeal
	}
	return s, nil
}
