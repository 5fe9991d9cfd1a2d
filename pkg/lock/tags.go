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

// Tags returns the wheel tags that a platform installs for a line of CPython,
// such as "3.10", best first (PEP 425, 600). An unknown platform or line has
// none.
func Tags(line, platform string) []string {
	major, minor, ok := parseLine(line)
	if !ok {
		return nil
	}
	platforms := platformTags(platform)
	if platforms == nil {
		return nil
	}
	cp := fmt.Sprintf("cp%d%d", major, minor)
	var tags []string
	add := func(python, abi string, platforms ...string) {
		for _, p := range platforms {
			tags = append(tags, python+"-"+abi+"-"+p)
		}
	}
	add(cp, cp, platforms...)
	add(cp, "abi3", platforms...)
	add(cp, "none", platforms...)
	for older := minor - 1; older >= 2; older-- {
		add(fmt.Sprintf("cp%d%d", major, older), "abi3", platforms...)
	}
	pure := pureTags(major, minor)
	for _, py := range pure {
		add(py, "none", platforms...)
	}
	add(cp, "none", "any")
	for _, py := range pure {
		add(py, "none", "any")
	}
	return tags
}

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
// CPython, or -1 if none of them will do. Of wheels with equal tags the higher
// build number wins.
func Best(wheels []Wheel, line, platform string) int { return rank(line, platform).best(wheels) }

// A ranking says how much a platform likes each tag that it installs: 0 most.
// Making one costs more than using it, so it is made once for a whole lock.
type ranking map[string]int

func rank(line, platform string) ranking {
	tags := Tags(line, platform)
	r := make(ranking, len(tags))
	for i, tag := range tags {
		r[tag] = i
	}
	return r
}

func (rank ranking) best(wheels []Wheel) int {
	type candidate struct{ index, rank, build int }
	var found []candidate
	for i, w := range wheels {
		name, err := ParseWheel(w.File)
		if err != nil {
			continue
		}
		best := len(rank)
		for _, tag := range name.tags() {
			if r, ok := rank[tag]; ok {
				best = min(best, r)
			}
		}
		if best < len(rank) {
			found = append(found, candidate{i, best, buildNumber(name.Build)})
		}
	}
	if len(found) == 0 {
		return -1
	}
	return slices.MinFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.build, a.build), strings.Compare(wheels[a.index].File, wheels[b.index].File))
	}).index
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
