package probes

import (
	"bytes"
	"context"
	"debug/elf"
	"debug/macho"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A world is a machine of a test: a project, a home, and the fixed places of the
// system, all in one temporary folder.
type world struct {
	t               testing.TB
	root, home, sys string
	environ         []string
	os, arch        string // "" for linux-x86_64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, root: filepath.Join(dir, "project"), home: filepath.Join(dir, "home"), sys: filepath.Join(dir, "sys")}
	for _, d := range []string{w.root, w.home, w.sys} {
		w.mkdir(d)
	}
	w.put(filepath.Join(w.sys, "etc/machine-id"), "0123456789abcdef0123456789abcdef\n")
	w.environ = []string{"HOME=" + w.home, "PATH=/nowhere"}
	return w
}

// prober returns a prober for the world as it is now, on linux-x86_64 unless the
// world says otherwise.
func (w *world) prober() *Prober {
	w.t.Helper()
	p, err := newAt(w.sys, w.root, w.environ)
	if err != nil {
		w.t.Fatal(err)
	}
	p.system.os, p.system.arch = "linux", "x86_64"
	if w.os != "" {
		p.system.os, p.system.arch = w.os, w.arch
	}
	p.arch = p.system.arch
	p.platform = platformName(p.system.os, p.arch)
	return p
}

func (w *world) mkdir(dir string) {
	w.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) put(name, content string) {
	w.t.Helper()
	w.mkdir(filepath.Dir(name))
	if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) link(target, name string) {
	w.t.Helper()
	w.mkdir(filepath.Dir(name))
	if err := os.Symlink(target, name); err != nil {
		w.t.Fatal(err)
	}
}

// probe looks at one key.
func (w *world) probe(k facts.Key) (facts.Fact, string) {
	w.t.Helper()
	fact, reason, _ := w.prober().Probe(context.Background(), []facts.Key{k}).Lookup(k)
	return fact, reason
}

// elfFile returns the smallest executable that says what machine it is for and
// which loader it wants.
func elfFile(machine elf.Machine, loader string, content string) string {
	var b bytes.Buffer
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA], header.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	size := uint64(len(loader) + 1)
	prog := elf.Prog64{Type: uint32(elf.PT_INTERP), Off: 64 + 56, Filesz: size, Memsz: size}
	if loader == "" {
		prog.Type, prog.Filesz = uint32(elf.PT_NULL), 0
	}
	binary.Write(&b, binary.LittleEndian, header)
	binary.Write(&b, binary.LittleEndian, prog)
	b.WriteString(loader + "\x00" + content)
	return b.String()
}

// machoFile returns the header of a Mach-O executable without load commands.
func machoFile(cpu macho.Cpu) string {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, macho.FileHeader{Magic: macho.Magic64, Cpu: cpu, Type: macho.TypeExec})
	b.WriteString("\x00\x00\x00\x00")
	return b.String()
}

// fatFile returns a universal executable.
func fatFile(cpus ...macho.Cpu) string {
	var head, body bytes.Buffer
	offset := 4096
	binary.Write(&head, binary.BigEndian, []uint32{macho.MagicFat, uint32(len(cpus))})
	for _, cpu := range cpus {
		one := machoFile(cpu)
		binary.Write(&head, binary.BigEndian, macho.FatArchHeader{Cpu: cpu, Offset: uint32(offset + body.Len()), Size: uint32(len(one))})
		body.WriteString(one)
	}
	return head.String() + strings.Repeat("\x00", offset-head.Len()) + body.String()
}

// python lays out an interpreter with its library and a pip wheel.
func (w *world) python(prefix, version, program string) {
	w.t.Helper()
	line := version[:strings.LastIndexByte(version, '.')]
	w.put(filepath.Join(prefix, "bin/python"+line), program)
	w.put(filepath.Join(prefix, "include/python"+line+"/patchlevel.h"), "/* x */\n#define PY_VERSION      \t\""+version+"\"\n")
	w.put(filepath.Join(prefix, "lib/python"+line+"/os.py"), "")
	w.put(filepath.Join(prefix, "lib/python"+line+"/venv/__init__.py"), "")
	w.put(filepath.Join(prefix, "lib/python"+line+"/ensurepip/_bundled/pip-23.0.1-py3-none-any.whl"), "")
}
