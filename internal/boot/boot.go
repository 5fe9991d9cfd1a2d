// Package boot identifies the start of the kernel, so that a record can be recognised as one
// from before.
package boot

import "sync"

// ID returns the identifier of the kernel's start, "" if it is unknown. It is the same in all
// containers of a machine, and another one after each start.
var ID = sync.OnceValue(id)
