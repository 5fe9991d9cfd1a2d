//go:build !failpoints

package failpoint

// Enabled reports whether this build has failpoints.
const Enabled = false

// Hit marks a failpoint.
func Hit(string) {}

// Step marks the failpoint before or after a step.
func Step(_, _ string) {}
