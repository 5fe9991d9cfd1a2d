package manifest

import (
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// joined is the pattern of words of small letters and digits with joints between
// them, as isWords reads it.
func joined(joints string) string {
	return "[a-z]([a-z0-9" + joints + "]{0,62}[a-z0-9])?"
}

func slugName() form {
	return text("name", "^"+joined("._-")+"$", "a name has small letters, digits and - _ . between them, begins with a letter, and has at most 64")
}

func snakeName() form {
	return text("name", "^"+joined("_")+"$", "a name has small letters, digits and _, begins with a letter, and has at most 64")
}

func hostName() form {
	return numeral("host name", "^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$", "what `hostname` prints, without the domain", member{"minimum", 0}, member{"multipleOf", 1})
}

// line is a form of texts of one line.
func line() form {
	f := numeral("text", `^[^\n\t]*[^\s][^\n\t]*$`, "one line, not empty, without tabs")
	f.schema = append(f.schema, member{"maxLength", maxText})
	return f
}

// content is a form of texts of any length.
func content() form {
	return form{word: "text", schema: members{{"type", []string{"string", "number"}}}}
}

// templateValue is a form of what a template can be given.
func templateValue() form {
	one := []string{"string", "number", "boolean"}
	return form{word: "value, or a list", schema: members{
		{"type", append(one[:3:3], "array")}, {"items", members{{"type", one}}},
	}}
}

// formatVersion is a form of the one version that is read.
func formatVersion() form { return form{word: "`1`", schema: members{{"enum", []any{1, Version}}}} }

// publicIndex is a form of the one list of indexes that is taken.
func publicIndex() form {
	f := nonEmptyListOf(choice("public"))
	f.schema = append(f.schema, member{"maxItems", 1})
	f.word = "`[public]`"
	return f
}

const sizePattern = `(0|[0-9]+(\.[0-9]+)? ?([kKmMgGtTpP][iI]?)?[bB])`

const sizeComplaint = "a number and a unit, such as 30GB (10^9 bytes) or 1.5GiB (2^30)"

// size is a form of amounts of bytes. Only 0 goes without a unit.
func size() form { return amount("size", sizePattern, sizeComplaint) }

// sizes is a form of one amount or a range.
func sizes() form {
	return amount("size or range", sizePattern+"|"+sizePattern+" *- *"+sizePattern, sizeComplaint+", or a range such as 150MB-300MB")
}

// amount is a form of texts and of the number 0.
func amount(word, pattern, complaint string) form {
	f := numeral(word, "^("+pattern+")$", complaint)
	f.schema = append(f.schema, members{
		{"maxLength", 100},
		{"if", members{{"type", "number"}}}, {"then", members{{"const", 0}, {"errorMessage", complaint}}},
	}...)
	return f
}

// mode is a form of permission bits. As numbers they are read in decimal by YAML 1.2
// (0644 is 644) and in octal by YAML 1.1 (0644 is 420).
func mode() form {
	return numeral("mode", "^0?[67][0-7][0-7]$", "three octal digits that let the owner read and write, such as 0644 or 0755",
		member{"minimum", 0o600}, member{"maximum", 777}, member{"multipleOf", 1})
}

// pythonLine is a form of 3.10 and the like. As a number it is 3.1.
func pythonLine() form {
	return numeral("line of Python", `^3\.([89]|[1-9][0-9])$`, `a line of Python from 3.8 on, such as "3.10"`,
		member{"minimum", 3.1}, member{"maximum", 3.99})
}

func pythonRelease() form {
	number := "(0|[1-9][0-9]{0,3})"
	return text("release of Python", `^3\.`+number+`\.`+number+"$", "a release of Python, such as 3.10.21")
}

// twoNumbers is a form of versions such as 12.1.
func twoNumbers() form {
	number := "([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"
	return numeral("version", "^"+number+`\.`+number+"$", `two numbers with a point between them, such as "12.1"`,
		member{"minimum", 0}, member{"exclusiveMaximum", 256})
}

func packageName() form {
	return numeral("name of a package", "^[A-Za-z0-9]([A-Za-z0-9._-]{0,198}[A-Za-z0-9])?$", "letters, digits and - _ . between them; extras go into a list of their own",
		member{"minimum", 0})
}

// packageVersion is a form of what pep.ValidVersion takes: the pattern of PEP 440,
// appendix B, without a joint that joins nothing.
func packageVersion() form {
	number := "([-_.]?[0-9]+)?"
	pattern := "^[vV]?([0-9]+!)?[0-9]+(\\.[0-9]+)*" +
		"([-_.]?" + anyCase("preview", "alpha", "beta", "pre", "rc", "a", "b", "c") + number + ")?" +
		"(-[0-9]+|[-_.]?" + anyCase("post", "rev", "r") + number + ")?" +
		"([-_.]?" + anyCase("dev") + number + ")?" +
		"(\\+[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*)?$"
	f := numeral("version", pattern, "one exact version, such as 2.1.0: no range, no wildcard", member{"minimum", 0})
	f.schema = append(f.schema, member{"maxLength", 255})
	return f
}

// anyCase is the pattern of some words in any case.
func anyCase(words ...string) string {
	var b strings.Builder
	for i, word := range words {
		b.WriteString([]string{"(", "|"}[min(i, 1)])
		for _, r := range word {
			fmt.Fprintf(&b, "[%c%c]", r, r-'a'+'A')
		}
	}
	return b.String() + ")"
}

func condaName() form {
	return numeral("name of a package", "^[a-z0-9_][a-z0-9_.-]{0,127}$", "small letters, digits and the marks - _ . between them", member{"minimum", 0})
}

func condaWord() form {
	return numeral("word", "^[A-Za-z0-9][A-Za-z0-9._+!]{0,127}$", "one word as the channel writes it, such as 24.2: no range, no wildcard", member{"minimum", 0})
}

func moduleName() form {
	word := "[A-Za-z_][A-Za-z0-9_]*"
	f := text("module", "^"+word+`(\.`+word+")*$", "what stands behind import in Python, such as bs4")
	f.schema = append(f.schema, never(`(^|\.)(`+strings.Join(pep.Keywords(), "|")+`)(\.|$)`))
	return f
}

func modelRepo() form {
	word := "[A-Za-z0-9._][A-Za-z0-9._-]*"
	f := text("OWNER/NAME", "^"+word+"/"+word+"$", "OWNER/NAME, such as mistralai/Mistral-7B-Instruct-v0.3")
	f.schema = append(f.schema, member{"maxLength", 2*maxText + 1}, never(`\.\.`))
	return f
}

// hexadecimal is a form of digests and commits.
func hexadecimal(digits int) form {
	return text(fmt.Sprintf("%d hexadecimal digits", digits), fmt.Sprintf("^[0-9a-f]{%d}$", digits), fmt.Sprintf("%d hexadecimal digits in lower case", digits))
}

func globPattern() form {
	f := numeral("pattern", "^[A-Za-z0-9*?/._][A-Za-z0-9*?/._-]*$", "letters, digits and * ? / . - _ alone", member{"minimum", 0})
	f.schema = append(f.schema, member{"maxLength", maxText})
	return f
}

func sshHost() form {
	word := "[A-Za-z0-9._:][A-Za-z0-9._:-]*"
	f := numeral("[USER@]HOST", "^("+word+"@)?"+word+"$", "a name or an address, with USER@ before it or not", member{"minimum", 0})
	f.schema = append(f.schema, member{"maxLength", maxText})
	return f
}

func sshPath() form {
	f := numeral("path", "^[A-Za-z0-9/._][A-Za-z0-9/._-]*$", "letters, digits and / . - _ alone, since another shell reads it", member{"minimum", 0})
	f.schema = append(f.schema, member{"maxLength", maxText})
	return f
}

func fetchURL() form {
	f := text("URL", "^(https://[^/?#@ ]+([/?#].*)?|file:///.*|http://(127\\.0\\.0\\.1|\\[::1\\]|localhost)(:[0-9]+)?([/?#].*)?)$",
		"https, http of this machine, or file:///, without name and password")
	f.schema = append(f.schema, member{"maxLength", maxText}, never("[ \"'`$<>\\t\\n]"))
	return f
}

// channels is a form of lists that name a channel beside nodefaults.
func channels() form {
	one := text("channel", "^("+joined("._-")+"|https://[^/?#@]+(/[^/?#]+)*|file://(/[^/?#]+)+)$", "the name of a channel, https://HOST/PATH or file:///PATH, without a last slash")
	f := setOf(one)
	f.schema = append(f.schema, member{"contains", members{{"not", members{{"const", "nodefaults"}}}}})
	return f
}

func address() form {
	return text("address", "^"+joined("_")+`\.[^\n\t]+$`, "KIND.NAME, such as directory.data_raw")
}
