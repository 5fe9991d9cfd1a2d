package lock

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A WheelName is a parsed file name of a wheel (PEP 427).
type WheelName struct {
	Name     string   // normalised
	Version  string   // as written, with - for _
	Build    string   // build tag, "" for none; "0" in triton-2.1.0-0-cp310-…
	Python   []string // "cp310", or "py2", "py3"
	ABI      []string // "cp310", "abi3", "none"
	Platform []string // "manylinux_2_17_x86_64", "any"
}

// ParseWheel parses the file name of a wheel. A valid name cannot be a path, an option or
// more than one line.
func ParseWheel(file string) (WheelName, error) {
	stem, ok := strings.CutSuffix(file, ".whl")
	if !ok {
		return WheelName{}, fmt.Errorf("file name %q does not end in .whl", file)
	}
	if strings.Trim(stem, alphanumeric+"._-+!") != "" {
		return WheelName{}, fmt.Errorf("wheel file name %q contains an invalid character", file)
	}
	parts := strings.Split(stem, "-")
	n := len(parts)
	if n != 5 && n != 6 {
		return WheelName{}, fmt.Errorf("wheel file name %q has %d parts, not five or six", file, n)
	}
	if slices.Contains(parts, "") {
		return WheelName{}, fmt.Errorf("wheel file name %q has an empty part", file)
	}
	w := WheelName{
		Name:     pep.Normalize(parts[0]),
		Version:  strings.ReplaceAll(parts[1], "_", "-"),
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

// wheelNames parses the file names of wheels. An invalid one has no tags.
func wheelNames(wheels []Wheel) []WheelName {
	names := make([]WheelName, len(wheels))
	for i, w := range wheels {
		names[i], _ = ParseWheel(w.File)
	}
	return names
}
