package pep

import "testing"

func TestPoetryClauses(t *testing.T) {
	for text, want := range map[string]string{
		"^1.2.3": ">=1.2.3,<2", "^0.2.3": ">=0.2.3,<0.3", "^0.0.3": ">=0.0.3,<0.0.4", "^0.0": ">=0.0,<0.1", "^0": ">=0,<1", "^1.0": ">=1.0,<2", "^0.2b1": ">=0.2b1,<0.3",
		"~1.2.3": ">=1.2.3,<1.3", "~1.0": ">=1.0,<1.1", "~1": ">=1,<2", "~=1.4": "~=1.4",
		"1.2": "==1.2", "=1.2": "==1.2", "1.*": "==1.*", "*": "", "": "", ">= 3.8, <4": ">=3.8,<4", ">=3.8 <4": ">=3.8,<4", "!=1.5.*": "!=1.5.*",
	} {
		if clauses, ok := PoetryClauses(text); !ok || Specifier(clauses) != want {
			t.Errorf("PoetryClauses(%q) = %q, %v, want %q", text, Specifier(clauses), ok, want)
		}
	}
	for _, text := range []string{"^1 || ^2", "^1.*", "latest", ">=", "1 2 ^"} {
		if clauses, ok := PoetryClauses(text); ok {
			t.Errorf("PoetryClauses(%q) = %q, want none", text, Specifier(clauses))
		}
	}
}
