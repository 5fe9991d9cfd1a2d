package probes

import (
	"debug/elf"
	"debug/macho"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// An executable is the header of an executable file.
type executable struct {
	arches []string // spelled as in facts.Host.Arch; several in a universal Mach-O file
	loader string   // the dynamic loader of an ELF file; "" for none
	format string   // "ELF" or "Mach-O"
}

var (
	errScript    = errors.New("is a script")
	errNoProgram = errors.New("is not a program")
)

// readBinary reads the header of an executable.
func readBinary(name string) (executable, error) {
	f, err := rawfile.OpenFile(name, 0)
	if err != nil {
		return executable{}, err
	}
	defer f.Close()
	b, err := parseBinary(f)
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return b, err
}

// arch returns the architecture in which a binary runs on a host: that of the host if the
// file has it.
func (b executable) arch(host string) string {
	if slices.Contains(b.arches, host) || len(b.arches) == 0 {
		return host
	}
	return b.arches[0]
}

// parseBinary reads the header of an ELF or Mach-O file. A script gives errScript.
func parseBinary(r io.ReaderAt) (executable, error) {
	var magic [4]byte
	if _, err := r.ReadAt(magic[:], 0); err != nil {
		return executable{}, fmt.Errorf("%w: %w", errNoProgram, err)
	}
	switch {
	case magic[0] == '#' && magic[1] == '!':
		return executable{}, errScript
	case string(magic[:]) == elf.ELFMAG:
		return parseELF(r)
	case magic == [4]byte{0xca, 0xfe, 0xba, 0xbe}:
		return parseFat(r)
	case magic == [4]byte{0xcf, 0xfa, 0xed, 0xfe}, magic == [4]byte{0xce, 0xfa, 0xed, 0xfe}:
		f, err := macho.NewFile(r)
		if err != nil {
			return executable{}, err
		}
		return executable{format: "Mach-O", arches: []string{machoArch(f.Cpu)}}, nil
	}
	return executable{}, errNoProgram
}

func parseELF(r io.ReaderAt) (executable, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return executable{}, err
	}
	b := executable{format: "ELF"}
	switch f.Machine {
	case elf.EM_X86_64:
		b.arches = []string{"x86_64"}
	case elf.EM_AARCH64:
		b.arches = []string{"aarch64"}
	default:
		b.arches = []string{strings.ToLower(strings.TrimPrefix(f.Machine.String(), "EM_"))}
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz > 4096 {
			continue
		}
		path := make([]byte, p.Filesz)
		if _, err := p.ReadAt(path, 0); err == nil {
			b.loader = strings.TrimRight(string(path), "\x00")
		}
	}
	return b, nil
}

// parseFat reads a universal file. debug/macho rejects Java classes, which begin with the
// same bytes.
func parseFat(r io.ReaderAt) (executable, error) {
	f, err := macho.NewFatFile(r)
	if err != nil {
		return executable{}, err
	}
	b := executable{format: "Mach-O"}
	for _, a := range f.Arches {
		b.arches = append(b.arches, machoArch(a.Cpu))
	}
	return b, nil
}

func machoArch(c macho.Cpu) string {
	switch c {
	case macho.CpuAmd64:
		return "x86_64"
	case macho.CpuArm64:
		return "arm64"
	}
	return strings.ToLower(c.String())
}
