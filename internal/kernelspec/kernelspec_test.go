package kernelspec

import (
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

func TestFolder(t *testing.T) {
	user, xdg := "/home/me/.local/share/jupyter/kernels", "/xdg/jupyter/kernels"
	if runtime.GOOS == "darwin" {
		user = "/home/me/Library/Jupyter/kernels"
		xdg = user
	}
	for _, tt := range []struct{ name, data, xdg, home, want string }{
		{"home", "", "", "/home/me", user},
		{"XDG_DATA_HOME", "", "/xdg", "/home/me", xdg},
		{"a relative XDG_DATA_HOME", "", "xdg", "/home/me", user},
		{"JUPYTER_DATA_DIR", "/jupyter", "/xdg", "/home/me", "/jupyter/kernels"},
		{"no home", "", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			getenv := func(name string) string {
				return map[string]string{"JUPYTER_DATA_DIR": tt.data, "XDG_DATA_HOME": tt.xdg}[name]
			}
			if got := Folder(getenv, tt.home); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for name, valid := range map[string]bool{"train": true, "my-project_1.0": true, "": false, "..": false, "Train": false, "a b": false, "a/b": false, "é": false} {
		if IsName(name) != valid {
			t.Errorf("IsName(%q) is %t", name, !valid)
		}
	}
	if got := NameOf("My Project/GPU"); got != "my-project-gpu" {
		t.Errorf("got %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		if name := NameOf("x" + rapid.String().Draw(t, "text")); !IsName(name) {
			t.Fatalf("%q is not a name", name)
		}
	})
}

// TestProgram reads kernels of any content, and that of every program that New writes.
func TestProgram(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `{"argv": []}`, `{"argv": "python"}`, `{"argv": [1]}`} {
		if got := Program([]byte(text)); got != "" {
			t.Errorf("%s starts %q", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		python := "/" + rapid.StringMatching(`[a-z <&'"\\]*`).Draw(t, "python")
		text, err := New(python, "name").Encode()
		if err != nil || Program(text) != python {
			t.Fatalf("%v %s", err, text)
		}
	})
}
