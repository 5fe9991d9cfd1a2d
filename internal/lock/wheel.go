package lock

import (
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A WheelName is what the file name of a wheel says (PEP 427).
type WheelName struct {
	Name     string   // normalised
	Version  string   // as written
	Build    string   // build tag, "" for none; "0" in triton-2.1.0-0-cp310-…
	Python   []string // "cp310", or "py2", "py3"
	ABI      []string // "cp310", "abi3", "none"
	Platform []string // "manylinux_2_17_x86_64", "any"
}

// ParseWheel reads the file name of a wheel. A name that is not one is an
// error that says what is wrong with it.
func ParseWheel(file string) (WheelName, error) {
	stem, ok := strings.CutSuffix(file, ".whl")
	if !ok {
		return WheelName{}, fmt.Errorf("file name %q does not end in .whl", file)
	}
	if c := strings.IndexFunc(stem, foreignToWheel); c >= 0 {
		return WheelName{}, fmt.Errorf("wheel file name %q has a character that no wheel has", file)
	}
	parts := strings.Split(stem, "-")
	if len(parts) != 5 && len(parts) != 6 {
		return WheelName{}, fmt.Errorf("wheel file name %q has %d parts, not five or six", file, len(parts))
	}
	for _, part := range parts {
		if part == "" {
			return WheelName{}, fmt.Errorf("wheel file name %q has an empty part", file)
		}
	}
	n := len(parts)
	w := WheelName{
		Name:     pep.Normalize(parts[0]),
		Version:  parts[1],
		Python:   strings.Split(parts[n-3], "."),
		ABI:      strings.Split(parts[n-2], "."),
		Platform: strings.Split(parts[n-1], "."),
	}
	if n == 6 {
		w.Build = parts[2]
		if w.Build[0] < '0' || w.Build[0] > '9' {
			return WheelName{}, fmt.Errorf("build tag %q in wheel file name %q does not begin with a digit", w.Build, file)
		}
	}
	return w, nil
}

// foreignToWheel reports a character that cannot be in a wheel's file name, so
// that none can be a path, an option or a second line.
func foreignToWheel(c rune) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return false
	}
	return !strings.ContainsRune("._-+!", c)
}

// wheelNames reads the file names of wheels. What is none has no tags.
func wheelNames(wheels []Wheel) []WheelName {
	names := make([]WheelName, len(wheels))
	for i, w := range wheels {
		names[i], _ = ParseWheel(w.File)
	}
	return names
}
