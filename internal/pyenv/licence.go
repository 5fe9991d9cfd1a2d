package pyenv

import "strings"

// maxLicence is the maximum size of the field License that counts as a name, in bytes. Others are
// the text of a licence.
const maxLicence = 100

// Licence returns the licence in a METADATA file: the SPDX expression, else the field License if it
// is a name, else the classifiers. Without one it returns nothing.
func Licence(metadata []byte) (expression string, names []string) {
	head, _, _ := strings.Cut(strings.ReplaceAll(string(metadata), "\r\n", "\n"), "\n\n")
	named := ""
	lines := strings.Split(head, "\n")
	for i, line := range lines {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		continued := i+1 < len(lines) && strings.HasPrefix(lines[i+1], " ")
		switch strings.ToLower(key) {
		case "license-expression":
			if value != "" {
				return value, nil
			}
		case "license":
			if value != "" && !continued && len(value) < maxLicence && value != "UNKNOWN" {
				named = value
			}
		case "classifier":
			if c, ok := strings.CutPrefix(value, "License ::"); ok && strings.TrimSpace(c) != "OSI Approved" {
				names = append(names, strings.TrimSpace(c[strings.LastIndex(c, ":")+1:]))
			}
		}
	}
	if named != "" {
		return "", []string{named}
	}
	return "", names
}
