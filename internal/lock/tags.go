package lock

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The newest system that a lock is made for. A wheel that needs a newer one is
// not taken, and uv is told the same (see uvPlatform).
const (
	newestGlibc = 28 // glibc 2.28: RHEL 8, Debian 10, Ubuntu 20.04
	newestMacOS = 13
)

// parseLine reads "3.10".
func parseLine(line string) (major, minor int, ok bool) {
	a, b, found := strings.Cut(line, ".")
	major, errMajor := strconv.Atoi(a)
	minor, errMinor := strconv.Atoi(b)
	ok = found && errMajor == nil && errMinor == nil && major == 3 && 0 <= minor && minor < 100
	return major, minor, ok
}

// pureTags returns the tags of wheels without compiled code: py310, py3, py39 …
func pureTags(major, minor int) []string {
	tags := []string{fmt.Sprintf("py%d%d", major, minor), fmt.Sprintf("py%d", major)}
	for older := minor - 1; older >= 0; older-- {
		tags = append(tags, fmt.Sprintf("py%d%d", major, older))
	}
	return tags
}

// platformTags returns the last parts of the tags of a platform, best first.
func platformTags(platform string) []string {
	switch platform {
	case "linux-x86_64":
		return linuxTags("x86_64", 5)
	case "linux-aarch64":
		return linuxTags("aarch64", 17)
	case "macos-arm64":
		return macTags("arm64", 11)
	case "macos-x86_64":
		return macTags("x86_64", 10)
	}
	return nil
}

// linuxTags returns the tags for glibc, newest first, down to 2.oldest. The
// three old names are the same as the 2.17, 2.12 and 2.5 of PEP 600.
func linuxTags(arch string, oldest int) []string {
	legacy := map[int]string{17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
	var tags []string
	for minor := newestGlibc; minor >= oldest; minor-- {
		tags = append(tags, fmt.Sprintf("manylinux_2_%d_%s", minor, arch))
		if name, ok := legacy[minor]; ok {
			tags = append(tags, name+"_"+arch)
		}
	}
	return append(tags, "linux_"+arch)
}

// macTags returns the tags for macOS, newest first. Below 11 a wheel names the
// minor version; arm64 takes from there only what holds both architectures.
func macTags(arch string, oldest int) []string {
	var tags []string
	for major := newestMacOS; major >= 11; major-- {
		tags = append(tags, fmt.Sprintf("macosx_%d_0_%s", major, arch), fmt.Sprintf("macosx_%d_0_universal2", major))
	}
	for minor := 16; minor >= 4; minor-- {
		if oldest < 11 {
			tags = append(tags, fmt.Sprintf("macosx_10_%d_%s", minor, arch))
		}
		tags = append(tags, fmt.Sprintf("macosx_10_%d_universal2", minor))
	}
	return tags
}

// Best returns the index of the wheel that a platform takes for a line of
// CPython, such as "3.10", or -1 if none of them will do: an unknown platform or
// line takes none. Of wheels with equal tags the higher build number wins.
func Best(wheels []Wheel, line, platform string) int {
	return rank(line, platform).best(wheels, wheelNames(wheels))
}

// A ranking says how much a platform likes a tag (PEP 425, 600): first by what
// it says of the interpreter, then by its platform, and tags for any platform
// last. A table of all tags would have some 700 entries, which takes longer to
// make than to read a lock.
type ranking struct {
	interpreters map[[2]string]int // by Python and ABI, best first
	platforms    map[string]int
}

func rank(line, platform string) ranking {
	var r ranking
	major, minor, ok := parseLine(line)
	platforms := platformTags(platform)
	if !ok || platforms == nil {
		return r
	}
	r.platforms = make(map[string]int, len(platforms))
	for i, p := range platforms {
		r.platforms[p] = i
	}
	pure := pureTags(major, minor)
	r.interpreters = make(map[[2]string]int, 3+minor+len(pure))
	add := func(python, abi string) { r.interpreters[[2]string{python, abi}] = len(r.interpreters) }
	cp := fmt.Sprintf("cp%d%d", major, minor)
	add(cp, cp)
	add(cp, "abi3")
	add(cp, "none")
	for older := minor - 1; older >= 2; older-- {
		add(fmt.Sprintf("cp%d%d", major, older), "abi3")
	}
	for _, py := range pure {
		add(py, "none")
	}
	return r
}

// of returns the place of a tag, 0 for the best; false for one that is not taken.
func (r ranking) of(python, abi, platform string) (int, bool) {
	i, ok := r.interpreters[[2]string{python, abi}]
	if !ok {
		return 0, false
	}
	if platform == "any" {
		return len(r.interpreters)*len(r.platforms) + i, abi == "none"
	}
	p, ok := r.platforms[platform]
	return i*len(r.platforms) + p, ok
}

// best is Best for wheels whose names are read.
func (r ranking) best(wheels []Wheel, names []WheelName) int {
	type candidate struct{ index, place, build int }
	var found []candidate
	for i, name := range names {
		if place, ok := r.place(name); ok {
			found = append(found, candidate{i, place, buildNumber(name.Build)})
		}
	}
	if len(found) == 0 {
		return -1
	}
	return slices.MinFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(b.build, a.build), strings.Compare(wheels[a.index].File, wheels[b.index].File))
	}).index
}

// place returns the place of the best tag of a wheel; false if none is taken.
func (r ranking) place(name WheelName) (best int, ok bool) {
	for _, python := range name.Python {
		for _, abi := range name.ABI {
			for _, platform := range name.Platform {
				if at, taken := r.of(python, abi, platform); taken && (!ok || at < best) {
					best, ok = at, true
				}
			}
		}
	}
	return best, ok
}

// buildNumber returns the digits that a build tag begins with.
func buildNumber(tag string) int {
	end := strings.IndexFunc(tag, func(c rune) bool { return c < '0' || c > '9' })
	if end < 0 {
		end = len(tag)
	}
	n, _ := strconv.Atoi(tag[:end])
	return n
}

// Glibc returns the minor version of glibc 2 that a wheel needs on Linux: the
// least that one of its tags asks for. It is 0 for a wheel without such a need.
func Glibc(file string) int {
	name, err := ParseWheel(file)
	if err != nil {
		return 0
	}
	least := 0
	for _, p := range name.Platform {
		var minor int
		switch {
		case strings.HasPrefix(p, "manylinux2014_"):
			minor = 17
		case strings.HasPrefix(p, "manylinux2010_"):
			minor = 12
		case strings.HasPrefix(p, "manylinux1_"):
			minor = 5
		case strings.HasPrefix(p, "manylinux_2_"):
			digits, _, _ := strings.Cut(strings.TrimPrefix(p, "manylinux_2_"), "_")
			minor, _ = strconv.Atoi(digits)
		default:
			continue
		}
		if least == 0 || minor < least {
			least = minor
		}
	}
	return least
}
