package probes

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"debug/macho"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/pybuild"
)

// A fakeMachine has a project, a home directory and the fixed paths of the system in one
// temporary folder.
type fakeMachine struct {
	t               testing.TB
	root, home, sys string
	store           string
	environ         []string
	os, arch        string // "" for linux-x86_64
	processor       string // of a Mac
	memory          int64  // of a Mac
}

func newMachine(t testing.TB) *fakeMachine {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m := &fakeMachine{t: t, root: filepath.Join(dir, "project"), home: filepath.Join(dir, "home"), sys: filepath.Join(dir, "sys"), store: filepath.Join(dir, "store")}
	for _, d := range []string{m.root, m.home, m.sys, m.store} {
		m.mkdir(d)
	}
	m.environ = []string{"HOME=" + m.home, "PATH=/nowhere"}
	return m
}

// prober returns a prober for the present state of the machine, on linux-x86_64 unless os
// and arch are set.
func (m *fakeMachine) prober() *Prober {
	m.t.Helper()
	p, err := newAt(m.sys, m.root, m.store, m.environ)
	if err != nil {
		m.t.Fatal(err)
	}
	p.system.os, p.system.arch = "linux", "x86_64"
	if m.os != "" {
		p.system.os, p.system.arch = m.os, m.arch
		p.system.processor, p.system.memory = m.processor, m.memory
	}
	p.arch = p.system.arch
	p.platform = platformName(p.system.os, p.arch)
	p.PinnedTool = func(name, store string, host facts.Host) facts.Tool {
		t := facts.Tool{Name: name}
		if name == "uv" && host.Platform == "linux-x86_64" {
			t.Path, t.Version, t.Source, t.SHA256 = filepath.Join(store, "dists/uv"), "0.13.9", "reconcile", sha256.Sum256([]byte("genuine"))
		}
		return t
	}
	p.IsPythonArchive = func(sum facts.SHA256) bool { return sum == facts.SHA256{1} }
	return p
}

// build installs an interpreter in the store, as if it were unpacked from an archive.
func (m *fakeMachine) build(name, version, program string, archive facts.SHA256) (dir string) {
	m.t.Helper()
	dir = filepath.Join(m.store, "tools/linux-x86_64", name)
	m.python(dir, version, program)
	sums := map[string]pybuild.Digest{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		sums[strings.TrimPrefix(name, dir+"/")] = sha256.Sum256(text)
		return err
	})
	if err := errors.Join(err, pybuild.Seal(dir, archive, sums)); err != nil {
		m.t.Fatal(err)
	}
	return dir
}

func (m *fakeMachine) mkdir(dir string) {
	m.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		m.t.Fatal(err)
	}
}

func (m *fakeMachine) put(name, content string) {
	m.t.Helper()
	m.mkdir(filepath.Dir(name))
	if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

// config writes the config.yaml of the user.
func (m *fakeMachine) config(content string) { m.put(m.home+"/.config/reconcile/config.yaml", content) }

func (m *fakeMachine) link(target, name string) {
	m.t.Helper()
	m.mkdir(filepath.Dir(name))
	if err := os.Symlink(target, name); err != nil {
		m.t.Fatal(err)
	}
}

// probe probes one key.
func (m *fakeMachine) probe(k facts.Key) (facts.Fact, string) {
	m.t.Helper()
	fact, reason, _ := m.prober().Probe(context.Background(), []facts.Key{k}).Lookup(k)
	return fact, reason
}

// elfFile returns a minimal executable for a machine type and a loader.
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

// python installs an interpreter with its library.
func (m *fakeMachine) python(prefix, version, program string) {
	m.t.Helper()
	minor := version[:strings.LastIndexByte(version, '.')]
	m.put(filepath.Join(prefix, "bin/python"+minor), program)
	m.put(filepath.Join(prefix, "include/python"+minor+"/patchlevel.h"), "/* x */\n#define PY_VERSION      \t\""+version+"\"\n")
	m.put(filepath.Join(prefix, "lib/python"+minor+"/os.py"), "")
	m.put(filepath.Join(prefix, "lib/python"+minor+"/venv/__init__.py"), "")
}
