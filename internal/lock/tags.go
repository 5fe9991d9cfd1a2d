package lock

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The newest systems that a lock supports. Wheels for a newer one are not selected, and uv
// gets the same limits (see uvPlatform).
const (
	newestGlibc = 28 // glibc 2.28: RHEL 8, Debian 10, Ubuntu 20.04
	newestMacOS = 13
)

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

// legacyTags are the tags of PEP 600 with a name of their own, by glibc 2 minor version.
func legacyTags() map[int]string {
	return map[int]string{17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
}

// linuxTags returns the tags for glibc, newest first, down to 2.oldest.
func linuxTags(arch string, oldest int) []string {
	legacy := legacyTags()
	var tags []string
	for minor := newestGlibc; minor >= oldest; minor-- {
		tags = append(tags, fmt.Sprintf("manylinux_2_%d_%s", minor, arch))
		if name, ok := legacy[minor]; ok {
			tags = append(tags, name+"_"+arch)
		}
	}
	return append(tags, "linux_"+arch)
}

// macTags returns the tags for macOS, newest first. Below 11 a tag has a minor version,
// and arm64 takes only universal wheels.
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

// Best returns the index of the wheel that a platform prefers for a CPython minor version,
// such as "3.10", or -1 if it can install none. Of wheels with equal tags it returns the one
// with the higher build number.
func Best(wheels []Wheel, minor, platform string) int {
	return Chooser(minor, []string{platform})(wheels)[0]
}

// Chooser returns a function that returns Best for each of the platforms. It is faster than Best
// for many packages.
func Chooser(minor string, platforms []string) func(wheels []Wheel) []int {
	rankings := make([]ranking, len(platforms))
	for i, platform := range platforms {
		rankings[i] = rank(minor, platform)
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

func rank(version, platform string) ranking {
	var r ranking
	major, minor, ok := parseMinor(version)
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
