package boot

import (
	"strings"

	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// id reads the identifier. See random(4).
func id() string {
	text, _ := rawfile.ReadFile("/proc/sys/kernel/random/boot_id", 64, 0)
	return strings.TrimSpace(string(text))
}
