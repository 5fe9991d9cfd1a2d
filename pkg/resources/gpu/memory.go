package gpu

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/nvidia"
)

const mebibyte = 1 << 20

// Memory is the required memory of a GPU. The zero value requires nothing.
type Memory struct {
	Bytes int64 `json:"bytes"`
	// Exact makes Bytes an exact minimum, for a size in GiB. Without it 95 % are enough, for
	// a size in GB: a GPU that is sold with 80 GB has 81920, 81559 or 81251 MiB, depending
	// on how much the driver reserves.
	Exact bool `json:"exact,omitempty"`
}

// A Model is the required memory of the GPUs of one model.
type Model struct {
	Model  string `json:"model"` // words of its name
	Memory Memory `json:"memory"`
}

// least returns the minimum in bytes.
func (m Memory) least() int64 {
	if m.Exact {
		return m.Bytes
	}
	return m.Bytes - m.Bytes/20 // 95 % rounded up, without overflow
}

// String returns, for example, "80 GB (72480 MiB or more)".
func (m Memory) String() string {
	switch {
	case !m.Exact:
		return fmt.Sprintf("%s (%d MiB or more)", bytesize.Format(m.Bytes), ceil(m.least(), mebibyte))
	case m.Bytes%(1<<30) == 0:
		return fmt.Sprintf("%d GiB (%s or more)", m.Bytes>>30, mib(m.Bytes))
	}
	return fmt.Sprintf("%d MiB or more", ceil(m.Bytes, mebibyte))
}

// ceil returns n/unit rounded up, without overflow.
func ceil(n, unit int64) int64 {
	whole := n / unit
	if n%unit > 0 {
		whole++
	}
	return whole
}

// mib formats a size as the driver does.
func mib(n int64) string { return fmt.Sprintf("%d MiB", n/mebibyte) }

// memoryFor returns the required memory of a device: that of the longest matching model,
// else that of any GPU.
func (s *Spec) memoryFor(u nvidia.Unit) Memory {
	required, longest := s.Memory, 0
	for _, m := range s.ByModel {
		if len(m.Model) > longest && hasWords(u.Name, m.Model) {
			required, longest = m.Memory, len(m.Model)
		}
	}
	return required
}

// hasWords reports whether a name contains the words of a model: "NVIDIA H100 80GB HBM3"
// contains "H100", and "H1000" does not.
func hasWords(name, model string) bool {
	name, model = words(name), words(model)
	return model != "" && strings.Contains(" "+name+" ", " "+model+" ")
}

// words returns the words of a text in lower case, separated by one space.
func words(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), " ")
}
