package pyenv

import (
	"strings"
	"testing"
)

func TestLicence(t *testing.T) {
	for head, want := range map[string]string{
		"License-Expression: MIT OR Apache-2.0\nLicense: BSD":    "MIT OR Apache-2.0",
		"License: BSD\r\nClassifier: License :: OSI Approved":    "BSD",
		"License: UNKNOWN\nClassifier: License :: Public Domain": "Public Domain",
		"License: Copyright someone\n        All rights\nClassifier: License :: OSI Approved :: MIT License\nClassifier: License :: Public Domain": "MIT License, Public Domain",
		"Classifier: License :: OSI Approved\nClassifier: Topic :: License":                                                                        "",
		"License: " + strings.Repeat("x", 200): "",
		"Name: x\n\nLicense: MIT":              "",
		"":                                     "",
	} {
		expression, names := Licence([]byte(head))
		if got := expression + strings.Join(names, ", "); got != want {
			t.Errorf("%q: the licence is %q, want %q", head, got, want)
		}
	}
}
