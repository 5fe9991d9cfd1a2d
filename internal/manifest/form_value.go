package manifest

import (
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// joined is the pattern of isWords.
func joined(joints string) string {
	return "[a-z]([a-z0-9" + joints + "]{0,62}[a-z0-9])?"
}

func slugName() form {
	return text("name", "^"+joined("._-")+"$", "lower-case letters, digits and - _ . between them, beginning with a letter, at most 64 characters")
}

func snakeName() form {
	return text("name", "^"+joined("_")+"$", "lower-case letters, digits and _, beginning with a letter, at most 64 characters")
}

func hostName() form {
	return positive("host name", "^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$", "the output of `hostname`, without the domain", member{"multipleOf", 1})
}

func line() form {
	return numeral("text", `^[^\n\t]*[^\s][^\n\t]*$`, "one line, not empty, without tabs", maxLength(maxText))
}

func content() form {
	return form{word: "text", schema: members{{"type", []string{"string", "number"}}}}
}

func templateValue() form {
	return form{word: "value, or a list", schema: members{
		{"type", []string{"string", "number", "boolean", "array"}}, {"items", members{{"type", []string{"string", "number", "boolean"}}}},
	}}
}

func formatVersion() form { return form{word: "`1`", schema: members{{"enum", []any{1, Version}}}} }

func indexURL() form {
	return text("URL", "^(https://[^/?#@ ]+(/[^?#]*)?|file:///[^?#]*|http://(127\\.0\\.0\\.1|\\[::1\\]|localhost)(:[0-9]+)?(/[^?#]*)?)$", "https://HOST/PATH, without user and password", never("[ \"'\\t]"))
}

const sizePattern = `(0|[0-9]+(\.[0-9]+)? ?([kKmMgGtTpP][iI]?)?[bB])`

const sizeComplaint = "a number and a unit, such as 30GB (10^9 bytes) or 1.5GiB (2^30)"

func size() form { return amount("size", sizePattern, sizeComplaint) }

func sizes() form {
	return amount("size or range", sizePattern+"|"+sizePattern+" *- *"+sizePattern, sizeComplaint+", or a range such as 150MB-300MB")
}

// amount is the form of texts and of the number 0.
func amount(word, pattern, complaint string) form {
	return numeral(word, "^("+pattern+")$", complaint, maxLength(100),
		member{"if", members{{"type", "number"}}}, member{"then", members{{"const", 0}, {"errorMessage", complaint}}})
}

// mode is the form of permission bits. YAML 1.2 reads 0644 as 644, YAML 1.1 as 420.
func mode() form {
	return numeral("mode", "^0?[67][0-7][0-7]$", "three octal digits that let the owner read and write, such as 0644 or 0755",
		member{"minimum", 0o600}, member{"maximum", 777}, member{"multipleOf", 1})
}

// pythonMinor is the form of 3.10, which is 3.1 as a number.
func pythonMinor() form {
	return numeral("Python minor version", `^3\.([89]|[1-9][0-9])$`, `a Python minor version from 3.8 on, such as "3.10"`,
		member{"minimum", 3.1}, member{"maximum", 3.99})
}

func pythonRelease() form {
	number := "(0|[1-9][0-9]{0,3})"
	return text("Python release", `^3\.`+number+`\.`+number+"$", "a Python release, such as 3.10.21")
}

func twoNumbers() form {
	number := "([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"
	return positive("version", "^"+number+`\.`+number+"$", `two numbers with a point between them, such as "12.1"`, member{"exclusiveMaximum", 256})
}

func packageName() form {
	return positive("package name", "^"+namePattern+"$", "letters, digits and - _ . between them; write extras in a separate list")
}

// packageVersion is the form of a version or a specifier. That of a version is the pattern of
// PEP 440, appendix B, without trailing separators, as for pep.ValidVersion.
func packageVersion() form {
	return positive("version", "^("+versionPattern()+"|"+specifierPattern()+")$", `one version, such as 2.1.0, or a range, such as ">=2.1,<3"`, maxLength(255))
}

func versionPattern() string {
	number := "([-_.]?[0-9]+)?"
	return "[vV]?([0-9]+!)?[0-9]+(\\.[0-9]+)*" +
		"([-_.]?" + anyCase("preview", "alpha", "beta", "pre", "rc", "a", "b", "c") + number + ")?" +
		"(-[0-9]+|[-_.]?" + anyCase("post", "rev", "r") + number + ")?" +
		"([-_.]?" + anyCase("dev") + number + ")?" +
		"(\\+[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*)?"
}

const namePattern = "[A-Za-z0-9]([A-Za-z0-9._-]{0,198}[A-Za-z0-9])?"

// specifierPattern is the pattern of pep.ParseClauses.
func specifierPattern() string {
	version := versionPattern()
	clause := " *((===|~=|<=|>=|<|>) *" + version + "|(==|!=) *" + version + `(\.\*)?) *`
	return clause + "(," + clause + ")*,?"
}

// requirement is the form of a requirement by PEP 508.
func requirement() form {
	extras := `( *\[ *(` + namePattern + "( *, *" + namePattern + `)*)? *\])?`
	pattern := "^ *" + namePattern + extras + " *(@ *(git\\+|https://|\\./).*|" + specifierPattern() + `|\(` + specifierPattern() + `\))?( *;.+)?$`
	return positive("requirement", pattern, `a requirement by PEP 508, such as "numpy>=1.26,<2"`, maxLength(maxText))
}

// fileReference is the form of a file with requirements.
func fileReference() form {
	return numeral("file", "^[^#/\\\\][^#\\\\]*(#.+)?$", `a file of the project, optionally with extras and groups, such as "pyproject.toml#train,dev"`, never(`(^|/)\.\.?(/|#|$)|//|/(#|$)`))
}

// directURL is the form of lock.CheckURL.
func directURL() form {
	return text("URL", `^(\./.*|git\+(https|ssh|file)://.+@[0-9a-f]{40}.*|https://.+)$`, "git+https://HOST/OWNER/NAME@COMMIT with the full commit, https://HOST/FILE.whl, or ./PATH")
}

func macOS() form {
	number := "[0-9]{1,3}"
	return positive("version", "^"+number+`(\.`+number+")?$", `a version of macOS, such as "14"`, member{"exclusiveMaximum", 256})
}

// anyCase is the pattern of some words in any case.
func anyCase(words ...string) string {
	patterns := make([]string, len(words))
	for i, word := range words {
		for _, r := range word {
			patterns[i] += fmt.Sprintf("[%c%c]", r, r-'a'+'A')
		}
	}
	return "(" + strings.Join(patterns, "|") + ")"
}

func condaName() form {
	return positive("package name", "^[a-z0-9_][a-z0-9_.-]{0,127}$", "lower-case letters, digits and the marks - _ . between them")
}

func condaWord() form {
	return positive("word", "^[A-Za-z0-9][A-Za-z0-9._+!]{0,127}$", "one word as the channel lists it, such as 24.2: no range, no wildcard")
}

func moduleName() form {
	word := "[A-Za-z_][A-Za-z0-9_]*"
	return text("module", "^"+word+`(\.`+word+")*$", "the name that follows import in Python, such as bs4",
		never(`(^|\.)(`+strings.Join(pep.Keywords(), "|")+`)(\.|$)`))
}

func modelRepo() form {
	word := "[A-Za-z0-9._][A-Za-z0-9._-]*"
	return text("OWNER/NAME", "^"+word+"/"+word+"$", "OWNER/NAME, such as mistralai/Mistral-7B-Instruct-v0.3", maxLength(2*maxText+1), never(`\.\.`))
}

func hexadecimal(digits int) form {
	return text(fmt.Sprintf("%d hexadecimal digits", digits), fmt.Sprintf("^[0-9a-f]{%d}$", digits), fmt.Sprintf("%d lower-case hexadecimal digits", digits))
}

func globPattern() form {
	return positive("pattern", "^[A-Za-z0-9*?/._][A-Za-z0-9*?/._-]*$", "only letters, digits and * ? / . - _", maxLength(maxText))
}

func sshHost() form {
	word := "[A-Za-z0-9._:][A-Za-z0-9._:-]*"
	return positive("[USER@]HOST", "^("+word+"@)?"+word+"$", "a name or an address, optionally after USER@", maxLength(maxText))
}

func sshPath() form {
	return positive("path", "^[A-Za-z0-9/._][A-Za-z0-9/._-]*$", "only letters, digits and / . - _, since a remote shell reads it", maxLength(maxText))
}

func fetchURL() form {
	return text("URL", "^(https://[^/?#@ ]+([/?#].*)?|file:///.*|http://(127\\.0\\.0\\.1|\\[::1\\]|localhost)(:[0-9]+)?([/?#].*)?)$",
		"https, http on this machine, or file:///, without user and password", maxLength(maxText), never("[ \"'`$<>\\t\\n]"))
}

// channels is the form of lists with at least one channel besides nodefaults.
func channels() form {
	one := text("channel", "^("+joined("._-")+"|https://[^/?#@]+(/[^/?#]+)*|file://(/[^/?#]+)+)$", "the name of a channel, https://HOST/PATH or file:///PATH, without a trailing slash")
	return listOf(one, member{"uniqueItems", true}, member{"contains", members{{"not", members{{"const", "nodefaults"}}}}})
}

func address() form {
	return text("address", "^"+joined("_")+`\.[^\n\t]+$`, "KIND.NAME, such as directory.data_raw")
}

func findingID() form {
	return positive("id", "^[A-Za-z0-9._:+][A-Za-z0-9._:+-]*$", "the id that `reconcile audit` prints, such as CVE-2025-32434", maxLength(200))
}

func day() form {
	return text("day", "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", "YEAR-MONTH-DAY, such as 2027-01-31")
}

func packagePattern() form {
	return positive("package name", `^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|([A-Za-z0-9][A-Za-z0-9._-]*)?\*)$`, "a name, or the beginning of names and a *")
}
