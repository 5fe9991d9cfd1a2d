package probes

import (
	"bytes"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// platformName returns the platform name that locks use.
func platformName(goos, arch string) string {
	if goos == "darwin" {
		return "macos-" + arch
	}
	return goos + "-" + arch
}

// firstLabel returns a host name without its domain.
func firstLabel(name string) string {
	label, _, _ := strings.Cut(name, ".")
	return label
}

func (p *Prober) host() (facts.Host, error) {
	h := facts.Host{
		OS: p.system.os, Arch: p.arch, Platform: p.platform, Hostname: p.system.hostname,
		OSVersion: p.system.version, Container: p.container(), Home: p.home,
	}
	if h.OS != "linux" {
		return h, nil
	}
	for _, name := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		if b, err := readSmall(p.sys(name)); err == nil {
			h.OSVersion = parseOSRelease(b)
			break
		}
	}
	h.Libc = p.libc()
	return h, nil
}

// parseOSRelease returns the name and version of a Linux distribution.
func parseOSRelease(b []byte) string {
	values := map[string]string{}
	for line := range bytes.Lines(b) {
		key, value, ok := strings.Cut(strings.TrimSpace(string(line)), "=")
		if !ok {
			continue
		}
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		values[key] = strings.Trim(value, `'"`)
	}
	if pretty := values["PRETTY_NAME"]; pretty != "" {
		return pretty
	}
	return strings.TrimSpace(values["NAME"] + " " + values["VERSION_ID"])
}

// container returns the name of the container runtime, from the files that it creates.
func (p *Prober) container() string {
	b, _ := readSmall(p.sys("/proc/sys/kernel/osrelease"))
	switch {
	case exists(p.sys("/.dockerenv")):
		return "docker"
	case exists(p.sys("/run/.containerenv")):
		return "podman"
	case bytes.Contains(bytes.ToLower(b), []byte("microsoft")):
		return "wsl"
	}
	return ""
}

// libc identifies the C library by the dynamic loader of /bin/sh: a machine may have the
// loaders of both.
func (p *Prober) libc() facts.Libc {
	loader := ""
	if b, err := readBinary(p.sys("/bin/sh")); err == nil {
		loader = b.loader
	}
	if loader == "" {
		loader = p.anyLoader()
	}
	switch {
	case strings.Contains(loader, "ld-musl"):
		return facts.Libc{Name: "musl", Version: searchFile(p.sys(loader), parseMuslVersion)}
	case loader != "":
		return facts.Libc{Name: "glibc", Version: glibcVersion(p.sys(loader))}
	}
	return facts.Libc{}
}

func (p *Prober) anyLoader() string {
	for _, pattern := range []string{"/lib64/ld-linux-*.so.2", "/lib/ld-linux-*.so.1", "/lib/ld-musl-*.so.1"} {
		if found, _ := filepath.Glob(p.sys(pattern)); len(found) > 0 {
			return strings.TrimPrefix(found[0], p.prefix)
		}
	}
	return ""
}

// glibcVersion returns the version in the file name of the loader, which it has before
// 2.34, or in its banner.
func glibcVersion(loader string) string {
	if real, err := filepath.EvalSymlinks(loader); err == nil {
		stem, ok := strings.CutPrefix(filepath.Base(real), "ld-2.")
		if version, so := strings.CutSuffix(stem, ".so"); ok && so {
			return "2." + version
		}
	}
	return searchFile(loader, parseGlibcBanner)
}

// parseGlibcBanner finds "… stable release version 2.36." in a binary.
func parseGlibcBanner(b []byte) string {
	for _, mark := range []string{"stable release version ", "development release version "} {
		if _, after, ok := bytes.Cut(b, []byte(mark)); ok {
			return leadingVersion(after)
		}
	}
	return ""
}

// parseMuslVersion finds the zero-terminated "1.2.4" in a binary.
func parseMuslVersion(b []byte) string {
	for {
		_, after, ok := bytes.Cut(b, []byte("\x001."))
		if !ok {
			return ""
		}
		version := "1." + leadingVersion(after)
		end := len(version) - len("1.")
		if strings.Count(version, ".") == 2 && end < len(after) && (after[end] == 0 || after[end] == '-') {
			return version
		}
		b = after
	}
}

// leadingVersion returns the digits and dots at the beginning of a text, without dots at
// the ends.
func leadingVersion(b []byte) string {
	n := 0
	for n < len(b) && n < 32 && (b[n] == '.' || '0' <= b[n] && b[n] <= '9') {
		n++
	}
	return strings.Trim(string(b[:n]), ".")
}

const (
	searchLimit  = 64 << 20 // largest file that is searched, in bytes
	searchWindow = 64 << 10 // bytes in memory
	longestMatch = 128      // bytes, with the text before the result that find needs
)

// searchFile returns the result of find in a regular file, which it reads in pieces, or "".
func searchFile(name string, find func([]byte) string) string {
	f, err := rawfile.OpenFile(name, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() > searchLimit {
		return ""
	}
	b, kept := make([]byte, searchWindow), 0
	for {
		n, err := io.ReadFull(f, b[kept:])
		text := b[:kept+n]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return find(text)
		}
		if err != nil {
			return ""
		}
		// A result near the end may be incomplete; it is found again with the next piece.
		if v := find(text); v != "" && v == find(text[:len(text)-longestMatch]) {
			return v
		}
		kept = copy(b, text[len(text)-2*longestMatch:])
	}
}
