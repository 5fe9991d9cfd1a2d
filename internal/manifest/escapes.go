package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/template"
)

// escapes returns the functions of templates. Each writes a value so that the language
// that it is named after reads back the same value.
func escapes() template.FuncMap {
	// YAML and TOML read JSON strings alike.
	jsonLiteral := func(v any) (string, error) { return literal(v, jsonText, "true", "false") }
	return template.FuncMap{
		"py":      func(v any) (string, error) { return literal(v, strconv.QuoteToASCII, "True", "False") },
		"json":    jsonLiteral,
		"yaml":    jsonLiteral,
		"toml":    jsonLiteral,
		"sh":      shellWord,
		"comment": comment,
		"name":    name,
	}
}

// escapeNames lists the functions for messages.
var escapeNames = []string{"py", "json", "yaml", "toml", "sh", "comment", "name"}

// isJSONNumber reports whether s is a JSON number, which all these languages read alike.
func isJSONNumber(s string) bool {
	return s != "" && len(s) <= 60 && (s[0] == '-' || '0' <= s[0] && s[0] <= '9') && json.Valid([]byte(s))
}

// literal writes a value, or a list of values in brackets.
func literal(v any, text func(string) string, yes, no string) (string, error) {
	var list []any
	switch v := v.(type) {
	case string:
		return text(v), nil
	case number, int:
		return fmt.Sprint(v), nil
	case bool:
		if v {
			return yes, nil
		}
		return no, nil
	case []string:
		for _, item := range v {
			list = append(list, item)
		}
	case []any:
		list = v
	default:
		return "", errors.New("a mapping cannot be written as one value")
	}
	parts := make([]string, len(list))
	for i, item := range list {
		part, err := literal(item, text, yes, no)
		if err != nil {
			return "", err
		}
		parts[i] = part
	}
	return "[" + strings.Join(parts, ", ") + "]", nil
}

// jsonText writes a JSON string without DEL, which TOML does not allow.
func jsonText(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // a string can always be encoded
	}
	return strings.ReplaceAll(string(b), "\x7f", `\u007f`)
}

func scalarText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case number, int, bool:
		return fmt.Sprint(v), nil
	}
	return "", errors.New("a list or mapping cannot be written as one word")
}

// shellWord writes a shell word.
func shellWord(v any) (string, error) {
	s, err := scalarText(v)
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'", err
}

// comment writes a text on one line, for use after the comment mark of the template.
func comment(v any) (string, error) {
	s, err := scalarText(v)
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || forbidden(r) {
			return ' '
		}
		return r
	}, s), err
}

// name writes a text that is an identifier in Python and in a shell.
func name(v any) (string, error) {
	s, err := scalarText(v)
	if err != nil {
		return "", err
	}
	if strings.Trim(s, alphanumeric+"_") != "" || s == "" || '0' <= s[0] && s[0] <= '9' {
		return "", fmt.Errorf("%s is not an identifier", quote(s))
	}
	return s, nil
}
