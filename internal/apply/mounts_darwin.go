package apply

// mountBelow returns "": a mount on macOS has its own device number, so removeTree
// notices it.
func mountBelow(string) (string, error) { return "", nil }
