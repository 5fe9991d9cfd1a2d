// Package arch holds the tests of the repository as a whole: imports point downwards,
// links of the documents lead somewhere. It has no code of its own.
package arch
