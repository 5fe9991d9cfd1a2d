package tool

// codes explains the codes of problems that this kind reports.
var codes = map[string]string{
	"tool.none": "The helper program is not on this machine, and no wheel of it is pinned for this platform. Install it and put it on PATH.",
	"tool.pip":  "The interpreter has no pip to install the helper program with. Debian and Ubuntu keep it in a package of its own.",
}

// Explain returns what a code of this kind means, "" for others.
func Explain(code string) string { return codes[code] }
