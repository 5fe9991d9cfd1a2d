package lock_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/lock"
)

func TestParseWheel(t *testing.T) {
	got, err := lock.ParseWheel("triton-2.1.0-0-cp310-cp310-manylinux2014_x86_64.manylinux_2_17_x86_64.whl")
	want := lock.WheelName{
		Name: "triton", Version: "2.1.0", Build: "0", Python: []string{"cp310"}, ABI: []string{"cp310"},
		Platform: []string{"manylinux2014_x86_64", "manylinux_2_17_x86_64"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = lock.ParseWheel("Lxml_HTML.clean-0.4.4-py2.py3-none-any.whl")
	if err != nil || got.Name != "lxml-html-clean" || len(got.Python) != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{
		"", ".whl", "a.whl", "a-1-py3-none-any", "a-1-py3-none-any.zip", "a-1-none-any.whl", "a-1-x-py3-none-any.whl",
		"a-1-1-1-py3-none-any.whl", "a--py3-none-any.whl", "../a-1-py3-none-any.whl", "a-1-py3-none-any\n.whl", "a-1-py3-none-änd.whl",
	} {
		if w, err := lock.ParseWheel(bad); err == nil {
			t.Errorf("ParseWheel(%q) = %+v", bad, w)
		}
	}
}

func TestBest(t *testing.T) {
	for _, c := range []struct {
		platform string
		files    []string
		want     string // "" for none
	}{
		{"linux-x86_64", []string{"a-1-py3-none-any.whl", "a-1-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"}, "a-1-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"},
		{"linux-x86_64", []string{"a-1-cp310-cp310-manylinux2014_x86_64.whl", "a-1-cp310-cp310-manylinux_2_28_x86_64.whl"}, "a-1-cp310-cp310-manylinux_2_28_x86_64.whl"},
		{"linux-x86_64", []string{"a-1-cp38-abi3-manylinux1_x86_64.whl", "a-1-cp39-abi3-manylinux1_x86_64.whl", "a-1-cp311-abi3-manylinux1_x86_64.whl"}, "a-1-cp39-abi3-manylinux1_x86_64.whl"},
		{"linux-x86_64", []string{"a-1-cp310-cp310-musllinux_1_2_x86_64.whl", "a-1-cp310-cp310-manylinux_2_31_x86_64.whl", "a-1-cp311-cp311-manylinux1_x86_64.whl", "a-1-py2-none-any.whl"}, ""},
		{"linux-x86_64", []string{"a-1-2-py3-none-any.whl", "a-1-10-py3-none-any.whl", "a-1-py3-none-any.whl"}, "a-1-10-py3-none-any.whl"},
		{"linux-aarch64", []string{"a-1-cp310-cp310-manylinux2014_x86_64.whl", "a-1-cp310-cp310-manylinux2014_aarch64.whl"}, "a-1-cp310-cp310-manylinux2014_aarch64.whl"},
		{"macos-arm64", []string{"a-1-cp310-cp310-macosx_10_9_universal2.whl", "a-1-cp310-cp310-macosx_11_0_arm64.whl"}, "a-1-cp310-cp310-macosx_11_0_arm64.whl"},
		{"macos-arm64", []string{"a-1-cp310-cp310-macosx_10_9_x86_64.whl", "a-1-cp310-cp310-macosx_10_9_universal2.whl"}, "a-1-cp310-cp310-macosx_10_9_universal2.whl"},
		{"macos-arm64", []string{"a-1-cp310-cp310-macosx_10_9_x86_64.whl", "a-1-cp310-cp310-macosx_15_0_arm64.whl"}, ""},
		{"macos-x86_64", []string{"a-1-cp310-cp310-macosx_10_9_x86_64.whl", "a-1-cp310-cp310-macosx_11_0_arm64.whl"}, "a-1-cp310-cp310-macosx_10_9_x86_64.whl"},
		{"windows", []string{"a-1-py3-none-any.whl"}, ""},
	} {
		wheels := make([]lock.Wheel, len(c.files))
		for i, f := range c.files {
			wheels[i].File = f
		}
		got := ""
		if i := lock.Best(wheels, "3.10", c.platform); i >= 0 {
			got = c.files[i]
		}
		if got != c.want {
			t.Errorf("%s of %v: got %q, want %q", c.platform, c.files, got, c.want)
		}
	}
}

func TestBestOrder(t *testing.T) {
	order := []string{ // best first
		"cp310-cp310-manylinux_2_28_x86_64", "cp310-cp310-linux_x86_64", "cp310-abi3-manylinux_2_28_x86_64", "cp310-none-manylinux1_x86_64",
		"cp39-abi3-linux_x86_64", "cp32-abi3-manylinux1_x86_64", "py310-none-manylinux1_x86_64", "cp310-none-any", "py310-none-any", "py3-none-any", "py39-none-any", "py30-none-any",
	}
	for i := range order {
		wheels := make([]lock.Wheel, 0, len(order))
		for _, tag := range slices.Backward(order[i:]) {
			wheels = append(wheels, lock.Wheel{File: "a-1-" + tag + ".whl"})
		}
		if best := lock.Best(wheels, "3.10", "linux-x86_64"); best != len(wheels)-1 {
			t.Errorf("Best(%v) = %d", wheels, best)
		}
	}
	for _, tag := range []string{"cp310-cp310-any", "cp310-abi3-any", "cp31-abi3-linux_x86_64", "py311-none-any", "cp311-none-any", "py2-none-any", "py3-none-macosx_11_0_arm64"} {
		if lock.Best([]lock.Wheel{{File: "a-1-" + tag + ".whl"}}, "3.10", "linux-x86_64") >= 0 {
			t.Errorf("Best accepts %s", tag)
		}
	}
	for _, minor := range []string{"", "3", "2.7", "3.x", "3.-1", "3.10.4"} {
		if lock.Best([]lock.Wheel{{File: "a-1-py3-none-any.whl"}}, minor, "linux-x86_64") >= 0 {
			t.Errorf("Best accepts a wheel for Python %q", minor)
		}
	}
}

func TestGlibc(t *testing.T) {
	for file, want := range map[string]int{
		"a-1-cp310-cp310-manylinux_2_26_x86_64.manylinux_2_28_x86_64.whl": 26,
		"a-1-cp310-cp310-manylinux2014_x86_64.whl":                        17,
		"a-1-py3-none-any.whl":                                            0,
		"a-1-cp310-cp310-macosx_11_0_arm64.whl":                           0,
	} {
		if got := lock.Glibc(file); got != want {
			t.Errorf("Glibc(%q) = %d, want %d", file, got, want)
		}
	}
}

func FuzzParseWheel(f *testing.F) {
	f.Add("triton-2.1.0-0-cp310-cp310-manylinux2014_x86_64.manylinux_2_17_x86_64.whl")
	f.Add("a-1-py2.py3-none-any.whl")
	f.Add("a-1+cu121-0a-cp310-abi3-any.whl")
	f.Fuzz(func(t *testing.T, file string) {
		w, err := lock.ParseWheel(file)
		if err != nil {
			return
		}
		if strings.ContainsAny(file, "/\\\x00\n\r \t'\"$`") {
			t.Errorf("ParseWheel accepts %q", file)
		}
		parts := []string{w.Version, w.Build, strings.Join(w.Python, "."), strings.Join(w.ABI, "."), strings.Join(w.Platform, ".")}
		rest := strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "-") + ".whl"
		if !strings.HasSuffix(file, "-"+rest) {
			t.Errorf("ParseWheel(%q) = %+v", file, w)
		}
		lock.Best([]lock.Wheel{{File: file}}, "3.10", "linux-x86_64")
		lock.Glibc(file)
	})
}
