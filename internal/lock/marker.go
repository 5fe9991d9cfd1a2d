package lock

import (
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
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

// MarkerEnvironment returns the values of markers for a platform and a Python release.
func MarkerEnvironment(platform, python string) pep.MarkerEnvironment {
	system, machine, _ := strings.Cut(platform, "-")
	e := pep.MarkerEnvironment{
		"os_name": "posix", "sys_platform": system, "platform_system": "Linux", "platform_machine": machine,
		"python_version": pep.MajorMinor(python), "python_full_version": python,
		"implementation_name": "cpython", "implementation_version": python, "platform_python_implementation": "CPython",
		"platform_release": "0", "platform_version": "", // unknown while a plan is made for another machine
	}
	switch system {
	case "macos":
		e["sys_platform"], e["platform_system"] = "darwin", "Darwin"
	case "windows":
		e["sys_platform"], e["platform_system"], e["os_name"] = "win32", "Windows", "nt"
	}
	return e
}
