//go:build !race

package manifest

const Racing = false
