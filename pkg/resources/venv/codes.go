package venv

// codes explains the codes of problems that this kind reports.
var codes = map[string]string{
	"environment.foreign":   "Something stands at the visible place of the environment that reconcile did not make on this machine. It is never touched: move it away, or change the path.",
	"environment.prompt":    "The prompt has characters that a shell would act on when the environment is activated.",
	"environment.root":      "The folder of the project has characters that a shell would act on when the environment is activated, or a colon, which PATH cannot hold. Rename it.",
	"environment.libc":      "The locked wheels need another C library, or a newer one, than this machine has.",
	"environment.installer": "There is neither uv nor pip to install packages with, or not the one that the manifest asks for.",
}

// Explain returns what a code of this kind means, "" for others.
func Explain(code string) string { return codes[code] }
