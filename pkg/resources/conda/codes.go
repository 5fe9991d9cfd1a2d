package conda

// codes explains the codes of problems that this kind reports.
var codes = map[string]string{
	"conda.no-python":  "The lock of the environment has no part for conda, or one without Python. `reconcile lock` writes it.",
	"conda.long-path":  "Packages of conda hold the path of their environment in programs, and leave 255 bytes for it.",
	"environment.libc": "The locked packages need another C library, or a newer one, or a newer macOS, than this machine has.",
	"conda.engine":     "There is neither a client of conda nor a Python that could run the embedded one.",
}

// Explain returns what a code of this kind means, "" for others.
func Explain(code string) string { return codes[code] }
