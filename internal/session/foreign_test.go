package session

import (
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

func TestForeignText(t *testing.T) {
	with := func(damage ...facts.Damage) facts.Environment {
		return facts.Environment{Name: "local", Current: "g1", Generations: []facts.Generation{{Name: "g1", Damage: damage}}}
	}
	six, idna := facts.Damage{What: "foreign", Dist: "six", Path: "six-1.0.dist-info"}, facts.Damage{What: "foreign", Dist: "idna", Path: "idna-1.0.dist-info"}
	for _, tt := range []struct {
		name    string
		e       facts.Environment
		planned []string
		want    string // at the end; "" for no text
	}{
		{"intact", with(), nil, ""},
		{"a file and a package twice", with(facts.Damage{What: "foreign", Path: "notes.txt"}, facts.Damage{What: "package", Dist: "six", Version: "1.0", Sealed: "1.0"}), nil, ""},
		{"another version", with(facts.Damage{What: "package", Dist: "six", Version: "2.0", Sealed: "1.0"}), nil, "`reconcile add six==2.0`"},
		{"a package", with(six), nil, "`reconcile add six`"},
		{"several", with(six, idna), nil, "`reconcile add NAME`"},
		{"one of two is planned", with(six, idna), []string{"six"}, "`reconcile add idna`"},
		{"planned", with(six), []string{"six"}, ""},
		{"not built", facts.Environment{Name: "local"}, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ForeignText(tt.e, tt.planned...)
			if got != "" && tt.want == "" || !strings.HasSuffix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
