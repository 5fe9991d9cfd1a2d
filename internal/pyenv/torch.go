package pyenv

import (
	"bytes"
	"strings"
)

// Torch is the version information in the files of an installed torch.
type Torch struct {
	Version string // "2.1.2+cu121", as in torch.__version__; its metadata may have "2.1.2"
	CUDA    string // the CUDA it was built for: "12.1"; "" for none
	ROCm    string // the ROCm it was built for: "5.6"; "" for none
}

// ReadTorch reads the version information of the torch in a site-packages folder, or
// returns false if there is none.
func ReadTorch(sitePackages string) (Torch, bool, error) {
	b, err := readFile(sitePackages+"/torch/version.py", nil, maxMetadata)
	if err != nil {
		return Torch{}, false, ignoreAbsent(err)
	}
	return parseTorch(b), true, nil
}

// parseTorch reads the assignments of torch/version.py:
//
//	__version__ = '2.1.2+cu121'
//	cuda: Optional[str] = '12.1'
//	hip = None
func parseTorch(b []byte) Torch {
	var t Torch
	for line := range bytes.Lines(b) {
		name, value, ok := strings.Cut(string(line), "=")
		if !ok {
			continue
		}
		name, _, _ = strings.Cut(name, ":")
		switch strings.TrimRight(name, " \t") {
		case "__version__":
			t.Version = versionText(value)
		case "cuda":
			t.CUDA = versionText(value)
		case "hip":
			t.ROCm = versionText(value)
		}
	}
	return t
}

// versionText returns the version in a Python string literal, or "" for None or any other
// text.
func versionText(literal string) string {
	literal = strings.TrimSpace(literal)
	if len(literal) < 2 || literal[0] != literal[len(literal)-1] || literal[0] != '\'' && literal[0] != '"' {
		return ""
	}
	v := literal[1 : len(literal)-1]
	if v == "" || len(v) > 64 || strings.Trim(v, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+-_") != "" || v[0] < '0' || v[0] > '9' {
		return ""
	}
	return v
}
