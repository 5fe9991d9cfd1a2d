// Package arch holds the test that keeps imports pointing downwards. It has no
// code of its own.
package arch
