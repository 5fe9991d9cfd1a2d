package lock

import (
	"slices"
	"strings"
)

// marker returns the environment marker (PEP 508) of a platform.
func marker(platform string) string {
	system, machine, _ := strings.Cut(platform, "-")
	if system == "macos" {
		system = "darwin"
	}
	return "sys_platform == '" + system + "' and platform_machine == '" + machine + "'"
}

// Marker returns the marker of platforms in any order, "" for none.
func Marker(platforms []string) string {
	platforms = slices.Sorted(slices.Values(platforms))
	if len(platforms) == 1 {
		return marker(platforms[0])
	}
	each := make([]string, len(platforms))
	for i, p := range platforms {
		each[i] = "(" + marker(p) + ")"
	}
	return strings.Join(each, " or ")
}

// parseMarker returns the platforms of a marker that Marker wrote, or false.
func parseMarker(text string, all []string) ([]string, bool) {
	var platforms []string
	for _, p := range all {
		if strings.Contains(text, marker(p)) {
			platforms = append(platforms, p)
		}
	}
	return platforms, len(platforms) > 0 && Marker(platforms) == text
}

// KnownPlatforms returns the platforms that can be locked.
func KnownPlatforms() []string {
	return []string{"linux-aarch64", "linux-x86_64", "macos-arm64", "macos-x86_64"}
}
