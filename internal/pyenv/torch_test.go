package pyenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadTorch(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want Torch
	}{
		"2.1":     {"__version__ = '2.1.2+cu121'\ndebug = False\ncuda = '12.1'\ngit_version = 'a8e7c98'\nhip = None\n", Torch{"2.1.2+cu121", "12.1", ""}},
		"2.4":     {"from typing import Optional\n\n__all__ = ['__version__', 'debug', 'cuda', 'git_version', 'hip']\n__version__ = '2.4.0+cu121'\ndebug = False\ncuda: Optional[str] = '12.1'\nhip: Optional[str] = None\n", Torch{"2.4.0+cu121", "12.1", ""}},
		"CPU":     {"__version__ = '2.1.2+cpu'\ncuda = None\nhip = None\n", Torch{Version: "2.1.2+cpu"}},
		"ROCm":    {"__version__ = \"2.1.2+rocm5.6\"\r\ncuda = None\r\nhip = '5.6.31061'\r\n", Torch{"2.1.2+rocm5.6", "", "5.6.31061"}},
		"hostile": {"__version__ = '\x1b[2J'\ncuda = '12.1' + evil()\nhip = '" + strings.Repeat("1", 100) + "'\n", Torch{}},
		"empty":   {"", Torch{}},
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "torch"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "torch", "version.py"), []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := ReadTorch(dir); !ok || err != nil || got != tt.want {
			t.Errorf("%s: %+v, %t, %v; want %+v", name, got, ok, err, tt.want)
		}
	}
	if _, ok, err := ReadTorch(t.TempDir()); ok || err != nil {
		t.Errorf("without torch: %t, %v", ok, err)
	}
}

func FuzzParseTorch(f *testing.F) {
	f.Add([]byte("__version__ = '2.1.2+cu121'\ncuda: Optional[str] = '12.1'\nhip = None\n"))
	f.Add([]byte("cuda = \"\x1b\"\ncuda = '"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := parseTorch(b)
		for _, v := range []string{got.Version, got.CUDA, got.ROCm} {
			if len(v) > 64 || strings.ContainsFunc(v, func(r rune) bool { return r < '+' || r > 'z' }) {
				t.Errorf("%q is not a version", v)
			}
		}
	})
}
