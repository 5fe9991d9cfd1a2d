package python

// codes explains the codes of problems that this kind reports.
var codes = map[string]string{
	"python.none": "There is no usable interpreter of the line on this machine, and no pinned build for its platform. The problem lists where it was looked for, and why those that were found are refused.",
}

// Explain returns what a code of this kind means, "" for others.
func Explain(code string) string { return codes[code] }
