package lock

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Systems are the oldest systems that all machines of an environment have at least. Wheels for
// newer ones are not selected, and uv gets the same limits (see uvPlatform). The zero value is
// glibc 2.28 and macOS 14: the oldest that distributions and Apple still support in 2026 (RHEL 8 has
// glibc 2.28, Ubuntu 20.04 2.31), so that every supported machine can install what is locked.
type Systems struct {
	Glibc string // "2.31"
	MacOS string // "14", "13.3"
}

// OldestGlibc is the minor version of the oldest glibc 2 that wheels can be locked for.
const OldestGlibc = 17

// glibc returns the minor version of glibc 2.
func (s Systems) glibc() int {
	minor, err := strconv.Atoi(strings.TrimPrefix(s.Glibc, "2."))
	if err != nil {
		return 28
	}
	return min(minor, 99)
}

// macOS returns the version of macOS.
func (s Systems) macOS() string { return cmp.Or(s.MacOS, "14") }

// macOSMajor returns the major version of macOS.
func (s Systems) macOSMajor() int {
	major, _, _ := strings.Cut(s.macOS(), ".")
	n, _ := strconv.Atoi(major)
	return min(n, 99)
}

// parseMinor parses "3.10".
func parseMinor(version string) (major, minor int, ok bool) {
	a, b, found := strings.Cut(version, ".")
	major, errMajor := strconv.Atoi(a)
	minor, errMinor := strconv.Atoi(b)
	ok = found && errMajor == nil && errMinor == nil && major == 3 && 0 <= minor && minor < 100
	return major, minor, ok
}

// pureTags returns the Python tags of pure wheels: py310, py3, py39 …
func pureTags(major, minor int) []string {
	tags := []string{fmt.Sprintf("py%d%d", major, minor), fmt.Sprintf("py%d", major)}
	for older := minor - 1; older >= 0; older-- {
		tags = append(tags, fmt.Sprintf("py%d%d", major, older))
	}
	return tags
}

// platformTags returns the platform tags of a platform, best first.
func (s Systems) platformTags(platform string) []string {
	switch platform {
	case "linux-x86_64":
		return s.linuxTags("x86_64", 5)
	case "linux-aarch64":
		return s.linuxTags("aarch64", 17)
	case "macos-arm64":
		return s.macTags("arm64", 11)
	case "macos-x86_64":
		return s.macTags("x86_64", 10)
	}
	return nil
}

// legacyTags are the tags of PEP 600 with a name of their own, by glibc 2 minor version.
func legacyTags() map[int]string {
	return map[int]string{17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
}

// linuxTags returns the tags for glibc, newest first, down to 2.oldest.
func (s Systems) linuxTags(arch string, oldest int) []string {
	legacy := legacyTags()
	var tags []string
	for minor := s.glibc(); minor >= oldest; minor-- {
		tags = append(tags, fmt.Sprintf("manylinux_2_%d_%s", minor, arch))
		if name, ok := legacy[minor]; ok {
			tags = append(tags, name+"_"+arch)
		}
	}
	return append(tags, "linux_"+arch)
}

// macTags returns the tags for macOS, newest first. Below 11 a tag has a minor version,
// and arm64 takes only universal wheels.
func (s Systems) macTags(arch string, oldest int) []string {
	var tags []string
	for major := s.macOSMajor(); major >= 11; major-- {
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

// Best returns the index of the wheel that a platform prefers for a CPython minor version,
// such as "3.10", or -1 if it can install none. Of wheels with equal tags it returns the one
// with the higher build number.
func Best(wheels []Wheel, minor, platform string) int {
	return Chooser(minor, []string{platform}, Systems{})(wheels)[0]
}

// Chooser returns a function that returns Best for each of the platforms. It is faster than Best
// for many packages.
func Chooser(minor string, platforms []string, systems Systems) func(wheels []Wheel) []int {
	rankings := make([]ranking, len(platforms))
	for i, platform := range platforms {
		rankings[i] = systems.rank(minor, platform)
	}
	return func(wheels []Wheel) []int {
		names := wheelNames(wheels)
		best := make([]int, len(rankings))
		for i, r := range rankings {
			best[i] = r.best(wheels, names)
		}
		return best
	}
}

// A ranking orders the tags of a platform (PEP 425, 600): by interpreter, then by platform,
// with tags for any platform last. A table of all 700 tags would take longer to make than
// reading a lock.
type ranking struct {
	interpreters map[[2]string]int // by Python and ABI, best first
	platforms    map[string]int
}

func (s Systems) rank(version, platform string) ranking {
	var r ranking
	major, minor, ok := parseMinor(version)
	platforms := s.platformTags(platform)
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

// tag returns the rank of a tag, 0 for the best; false if the platform does not take it.
func (r ranking) tag(python, abi, platform string) (int, bool) {
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

// best is Best for wheels with parsed names.
func (r ranking) best(wheels []Wheel, names []WheelName) int {
	type candidate struct{ index, rank, build int }
	var found []candidate
	for i, name := range names {
		if rank, ok := r.wheel(name); ok {
			found = append(found, candidate{i, rank, buildNumber(name.Build)})
		}
	}
	if len(found) == 0 {
		return -1
	}
	return slices.MinFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.build, a.build), strings.Compare(wheels[a.index].File, wheels[b.index].File))
	}).index
}

// wheel returns the rank of the best tag of a wheel; false if the platform takes none.
func (r ranking) wheel(name WheelName) (best int, ok bool) {
	for _, python := range name.Python {
		for _, abi := range name.ABI {
			for _, platform := range name.Platform {
				if at, taken := r.tag(python, abi, platform); taken && (!ok || at < best) {
					best, ok = at, true
				}
			}
		}
	}
	return best, ok
}

// buildNumber returns the number at the beginning of a build tag.
func buildNumber(tag string) int {
	end := strings.IndexFunc(tag, func(c rune) bool { return c < '0' || c > '9' })
	if end < 0 {
		end = len(tag)
	}
	n, _ := strconv.Atoi(tag[:end])
	return n
}

// Glibc returns the minimum minor version of glibc 2 that a wheel needs on Linux, or 0 if
// it needs none.
func Glibc(file string) int {
	name, err := ParseWheel(file)
	if err != nil {
		return 0
	}
	least := 0
	for _, p := range name.Platform {
		tag, ok := strings.CutPrefix(p, "manylinux_2_")
		digits, _, _ := strings.Cut(tag, "_")
		minor, _ := strconv.Atoi(digits)
		for n, legacy := range legacyTags() {
			if strings.HasPrefix(p, legacy+"_") {
				minor, ok = n, true
			}
		}
		if !ok {
			continue
		}
		if least == 0 || minor < least {
			least = minor
		}
	}
	return least
}

// MacOS returns the minimum major version of macOS that a wheel needs, or 0 if it needs none.
func MacOS(file string) int {
	name, err := ParseWheel(file)
	if err != nil {
		return 0
	}
	least := 0
	for _, p := range name.Platform {
		tag, ok := strings.CutPrefix(p, "macosx_")
		digits, _, _ := strings.Cut(tag, "_")
		if major, err := strconv.Atoi(digits); ok && err == nil && (least == 0 || major < least) {
			least = major
		}
	}
	return least
}
