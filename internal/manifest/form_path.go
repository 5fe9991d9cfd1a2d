package manifest

// Patterns of paths in their shortest form, as for pathProblem. A name neither begins nor
// ends with a space, and is neither . nor ..; it may begin with dots.
const (
	pathRest  = `([^/\\\n\t]*[^/\\\n\t ])?`
	pathDots  = `\.+(\.\.|[^/\\\n\t. ]|[^/\\\n\t.][^/\\\n\t]*[^/\\\n\t ])`
	pathName  = `([^/\\\n\t. ]` + pathRest + `|` + pathDots + `)`
	pathFirst = `([^/\\\n\t. ~-]` + pathRest + `|` + pathDots + `)`

	innerPattern    = pathFirst + `(/` + pathName + `)*`
	absolutePattern = `(/` + pathName + `)+`

	// Folders of git, in any case, and names that are too long.
	reserved = `(^|/)\.[gG][iI][tT](/|$)|[^/]{256}`

	pathComplaint = "a path relative to the manifest, in its shortest form"
)

func pathOf(word, pattern, complaint string) form {
	return positive(word, "^"+pattern+"$", complaint, maxLength(maxPath), never(reserved))
}

// innerPath is the form of paths inside the project.
func innerPath() form { return pathOf("path", innerPattern, pathComplaint+", such as data/raw") }

func absolutePath() form {
	f := pathOf("absolute path", absolutePattern, "an absolute path in its shortest form, such as /workspace")
	f.schema[0].value = "string"
	return f
}

// anyPath is the form of paths inside the project or, if a host allows it, outside.
func anyPath() form {
	return pathOf("path", "("+innerPattern+"|"+absolutePattern+")", pathComplaint+", such as data/raw")
}

func projectOrAnyPath() form {
	return pathOf("path", `(\.|`+innerPattern+"|"+absolutePattern+")", pathComplaint+", or .")
}

// named is the form of paths inside the project with a suffix.
func named(word, suffix, complaint string) form {
	return text(word, "^"+innerPattern+"$", complaint, maxLength(maxPath), never(reserved),
		member{"allOf", []members{{{"pattern", suffix + "$"}, {"errorMessage", complaint}}}})
}

func lockName() form {
	return named("path", `\.(toml|lock)`, "a path below the manifest that ends in .toml or .lock, such as locks/pylock.local.toml")
}

func templateName() form {
	return named("name of a template", `\.tmpl`, "a path below templates/ that ends in .tmpl")
}
