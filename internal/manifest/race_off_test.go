//go:build !race

package manifest

const racing = false
