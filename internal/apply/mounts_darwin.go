package apply

// mountBelow finds nothing before the walk: macOS has no mounts with the device
// number of what they stand on, so the walk itself sees each.
func mountBelow(string) (string, error) { return "", nil }
