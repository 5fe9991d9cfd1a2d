package manifest

// A path in its shortest form, as pathProblem takes it. A name in it neither begins
// nor ends with a blank, and is neither . nor ..; it may begin with dots.
const (
	pathRest  = `([^/\\\n\t]*[^/\\\n\t ])?`
	pathDots  = `\.+(\.\.|[^/\\\n\t. ]|[^/\\\n\t.][^/\\\n\t]*[^/\\\n\t ])`
	pathName  = `([^/\\\n\t. ]` + pathRest + `|` + pathDots + `)`
	pathFirst = `([^/\\\n\t. ~-]` + pathRest + `|` + pathDots + `)`

	innerPattern    = pathFirst + `(/` + pathName + `)*`
	absolutePattern = `(/` + pathName + `)+`

	// What git and reconcile keep for themselves, in any case.
	reserved = `(^|/)\.[gG][iI][tT](/|$)|^/?\.[rR][eE][cC][oO][nN][cC][iI][lL][eE](/|$)`
)

func pathOf(word, pattern, complaint string) form {
	f := numeral(word, "^"+pattern+"$", complaint, member{"minimum", 0})
	f.schema = append(f.schema, member{"maxLength", maxPath}, never(reserved+`|[^/]{256}`))
	return f
}

// innerPath is a form of paths inside the project.
func innerPath() form {
	return pathOf("path", innerPattern, "a path relative to the manifest, in its shortest form, such as data/raw")
}

// absolutePath is a form of places outside of the project.
func absolutePath() form {
	f := pathOf("absolute path", absolutePattern, "an absolute path in its shortest form, such as /workspace")
	f.schema[0].value = "string"
	return f
}

// anyPath is a form of paths inside the project or, where a host allows it, outside.
func anyPath() form {
	return pathOf("path", "("+innerPattern+"|"+absolutePattern+")", "a path relative to the manifest, in its shortest form, such as data/raw")
}

// here is a form of paths, and of the project itself.
func here() form {
	return pathOf("path", `(\.|`+innerPattern+"|"+absolutePattern+")", "a path relative to the manifest, in its shortest form, or .")
}

// named is a form of paths inside the project that end in a suffix.
func named(word, suffix, complaint string) form {
	f := text(word, "^"+innerPattern+"$", complaint)
	f.schema = append(f.schema,
		member{"maxLength", maxPath}, never(reserved+`|[^/]{256}`),
		member{"allOf", []members{{{"pattern", suffix + "$"}, {"errorMessage", complaint}}}})
	return f
}

func lockName() form {
	return named("path", `\.toml`, "a path below the manifest that ends in .toml, such as locks/pylock.local.toml")
}

func templateName() form {
	return named("name of a template", `\.tmpl`, "a path below templates/ that ends in .tmpl")
}
