package gpu

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/nvidia"
)

const mebibyte = 1 << 20

// Memory is what a GPU must have. The zero value asks for nothing.
type Memory struct {
	Bytes int64 `json:"bytes"`
	// Exact says that Bytes is meant as it stands: the manifest says GiB. What is
	// sold as 80 GB has 81920, 81559 or 81251 MiB, after what the driver keeps for
	// itself.
	Exact bool `json:"exact,omitempty"`
}

// A Model is the memory that GPUs of one model must have.
type Model struct {
	Model  string `json:"model"` // words of its name
	Memory Memory `json:"memory"`
}

// least is the fewest bytes that will do.
func (m Memory) least() int64 {
	if m.Exact {
		return m.Bytes
	}
	// 95 % rounded up, without passing the largest int64.
	return m.Bytes - m.Bytes/20
}

// String is such as "80 GB (72480 MiB or more)".
func (m Memory) String() string {
	switch {
	case !m.Exact:
		return fmt.Sprintf("%s (%d MiB or more)", bytesize.Format(m.Bytes), ceil(m.least(), mebibyte))
	case m.Bytes%(1<<30) == 0:
		return fmt.Sprintf("%d GiB (%s or more)", m.Bytes>>30, mib(m.Bytes))
	}
	return fmt.Sprintf("%d MiB or more", ceil(m.Bytes, mebibyte))
}

func ceil(n, unit int64) int64 {
	whole := n / unit
	if n%unit > 0 {
		whole++
	}
	return whole
}

// mib is an amount as the driver shows it.
func mib(n int64) string { return fmt.Sprintf("%d MiB", n/mebibyte) }

// asked returns what a GPU must have: what is said of its model, else of any.
func (s *Spec) asked(u nvidia.Unit) Memory {
	asked, longest := s.Memory, 0
	for _, m := range s.ByModel {
		if len(m.Model) > longest && named(u.Name, m.Model) {
			asked, longest = m.Memory, len(m.Model)
		}
	}
	return asked
}

// named reports whether a name holds the words of a model: "H100" stands in
// "NVIDIA H100 80GB HBM3", and not in "H1000".
func named(name, model string) bool {
	name, model = words(name), words(model)
	return model != "" && strings.Contains(" "+name+" ", " "+model+" ")
}

// words is a text in lower case, with one space between what is letters and digits.
func words(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), " ")
}
