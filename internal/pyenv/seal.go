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

// A Seal is what was true of a generation when it was built and verified. It is
// the last file that a build writes: a directory without one is no generation.
type Seal struct {
	Version   int             `json:"version"`
	Digest    string          `json:"digest"` // of all that decides the content; see the kind venv
	Python    string          `json:"python"` // "3.10.13"
	Base      string          `json:"base"`   // the interpreter it was made from
	Created   string          `json:"created,omitempty"`
	Installer string          `json:"installer,omitempty"` // "uv 0.13.9", for people; decides nothing
	Prefix    string          `json:"prefix,omitempty"`    // absolute path at which it was built; elsewhere it does not work
	Packages  []facts.Package `json:"packages"`            // by normalised name
	// Conda are the packages of conda, by name, and CondaDists the distributions of
	// Python that they brought. Both are empty in an environment of type venv.
	Conda      []facts.CondaPackage `json:"conda,omitempty"`
	CondaDists []facts.Package      `json:"conda_dists,omitempty"`
	// Skeleton is every file that belongs to no distribution: what made the
	// environment wrote it, or we did (launchers). Without it the names that
	// venv and uv are known to write are taken for sound, whatever they hold.
	Skeleton []SkeletonFile `json:"skeleton,omitempty"`
}

// A SkeletonFile is a file or link of the environment itself.
type SkeletonFile struct {
	Path   string       `json:"path"` // relative to the generation
	Size   int64        `json:"size,omitempty"`
	SHA256 facts.SHA256 `json:"sha256,omitzero"`
	Target string       `json:"target,omitempty"` // links only, as written
}

// ErrNewerSeal is what a seal of a later format version gives. Such a generation
// must be left as it is.
var ErrNewerSeal = errors.New("was sealed by a newer reconcile")

// sealEnd stands between what the checksum covers and the checksum.
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

// ReadSeal reads the seal of a generation. An error that is fs.ErrNotExist means
// that the generation was never finished, ErrNewerSeal that this program is too
// old, ErrSeal that the seal is damaged, any other that it could not be looked at.
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

// ErrSeal is what a seal with any byte out of place gives.
var ErrSeal = errors.New("the seal is damaged")

// parseSeal reads what EncodeSeal wrote and nothing else.
func parseSeal(b []byte) (Seal, error) {
	var s Seal
	i := bytes.LastIndex(b, []byte(sealEnd))
	if i < 0 {
		return s, versionOr(b, ErrSeal)
	}
	sum := sha256.Sum256(b[:i])
	if string(b[i+len(sealEnd):]) != hex.EncodeToString(sum[:])+"\"\n}\n" {
		return s, versionOr(b, ErrSeal)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return Seal{}, fmt.Errorf("%w: %w", ErrSeal, err)
	}
	if s.Version > SealVersion {
		return Seal{}, ErrNewerSeal
	}
	if s.Version < 1 {
		return Seal{}, ErrSeal
	}
	return s, nil
}

// versionOr returns ErrNewerSeal for a document that says so of itself, whatever
// its checksum looks like; else err.
func versionOr(b []byte, err error) error {
	var head struct {
		Version int `json:"version"`
	}
	if json.Unmarshal(b, &head) == nil && head.Version > SealVersion {
		return ErrNewerSeal
	}
	return err
}
