package catalog

import "testing"

func TestLibrary(t *testing.T) {
	exact := BitsandbytesBuild{CUDA: []string{"11.8", "12.1", "12.8"}}
	nearest := BitsandbytesBuild{CUDA: exact.CUDA, Nearest: true}
	for _, c := range []struct {
		build      BitsandbytesBuild
		cuda, want string
	}{
		{exact, "12.1", "12.1"}, {exact, "12.9", ""}, {exact, "13.0", ""},
		{nearest, "12.1", "12.1"}, {nearest, "12.9", "12.8"}, {nearest, "12.4", "12.1"}, {nearest, "12.0", "12.1"}, {nearest, "13.0", ""}, {nearest, "", ""},
	} {
		if got := c.build.Library(c.cuda); got != c.want {
			t.Errorf("libraries %v, nearest %v: CUDA %q loads %q, want %q", c.build.CUDA, c.build.Nearest, c.cuda, got, c.want)
		}
	}
}
