package state

import "os"

// syncData waits until the drive has stored the file (F_FULLFSYNC).
func syncData(f *os.File) error { return f.Sync() }
