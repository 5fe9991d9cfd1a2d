package pep

import (
	"regexp"
	"strings"
	"testing"

	pep440 "github.com/aquasecurity/go-pep440-version"
)

func TestValidName(t *testing.T) {
	for _, name := range []string{"pandas", "lxml_html_clean", "nvidia-cuda-nvrtc-cu12", "A", "zope.interface", "2captcha"} {
		if !ValidName(name) {
			t.Errorf("ValidName(%q) is false", name)
		}
	}
	for _, name := range []string{"", "-r", "a-", ".a", "a b", "a/b", "a;b", "a[x]", "a==1", "é", "a\n", "a\x00", "$a", "a@b"} {
		if ValidName(name) {
			t.Errorf("ValidName(%q) is true", name)
		}
	}
}

func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{
		"lxml_html_clean": "lxml-html-clean", "Zope.Interface": "zope-interface", "a-_.b": "a-b", "PyYAML": "pyyaml",
	} {
		if got := Normalize(in); got != want {
			t.Errorf("Normalize(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestValidModule(t *testing.T) {
	for _, name := range []string{"bs4", "google.protobuf", "_x", "a1.b2"} {
		if !ValidModule(name) {
			t.Errorf("ValidModule(%q) is false", name)
		}
	}
	for _, name := range []string{"", ".", "a.", ".a", "1a", "a-b", "import", "a.class", "a;b", "a b", "é", "a\n"} {
		if ValidModule(name) {
			t.Errorf("ValidModule(%q) is true", name)
		}
	}
}

func TestCanonicalVersion(t *testing.T) {
	for in, want := range map[string]string{
		"2.1.0": "2.1.0", "2.10": "2.10", "0.41.3.post2": "0.41.3.post2", "2.1.2+cu121": "2.1.2+cu121", "2.0.0rc1": "2.0.0rc1",
		"v1.0": "1.0", "1.0-RC.1": "1.0rc1", "1.0alpha": "1.0a0", "1.0-1": "1.0.post1", "1.0.dev": "1.0.dev0", "1!2.0": "1!2.0",
		"0!1.0": "1.0", "01.002": "1.2", "1.0+Ubuntu_1-01": "1.0+ubuntu.1.1", "1.0a1.post2.dev3": "1.0a1.post2.dev3", "1.0rev3": "1.0.post3",
		"1.0.post": "1.0.post0", "2024.6.1": "2024.6.1", "1.0a-.post1": "",
	} {
		got, ok := CanonicalVersion(in)
		if got != want || ok != (want != "") {
			t.Errorf("CanonicalVersion(%q) = %q, %v, want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{
		"", " ", "1.0 ", "latest", ">=1.0", "==1.0", "1.*", "1.0.*", "1..0", ".1", "1.", "1.0+", "1.0+a..b", "1.0+é", "1!", "!1", "a!1",
		"1.0dev1post1", "1.0 rc1", "1,2", "1.0--1", "1.0+a+b", "٣.١", "1.0\n", "-1", "1-", "1.0-", "v", "vv1", strings.Repeat("1.", 200) + "1",
	} {
		if got, ok := CanonicalVersion(in); ok {
			t.Errorf("CanonicalVersion(%q) = %q, want none", in, got)
		}
	}
}

// loose matches trailing separators.
var loose = regexp.MustCompile(`[-_.]([-_.+]|$)`)

// FuzzVersion compares CanonicalVersion with another implementation: both accept the same
// texts, and the normal form is an equal version.
func FuzzVersion(f *testing.F) {
	for _, s := range []string{"2.1.0", "1!2.0.post3.dev4+a.b", "1.0-RC.1", "v1-1", "1.0a.-1", "1.0.post-.dev1", "1_a_1-post_2.dev3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := CanonicalVersion(s)
		if ok {
			if again, ok := CanonicalVersion(got); !ok || again != got {
				t.Errorf("CanonicalVersion(%q) = %q, whose normal form is %q", s, got, again)
			}
		}
		if s != strings.TrimSpace(s) || strings.ContainsFunc(s, func(r rune) bool { return r > 127 }) || len(s) > 18 {
			return // the library trims spaces, folds İ and K, and fails on numbers beyond 64 bits
		}
		want, err := pep440.Parse(s)
		if !ok && loose.MatchString(s) {
			return
		}
		if (err == nil) != ok {
			t.Fatalf("%q: valid is %v, the library returns %v", s, ok, err)
		}
		if !ok {
			return
		}
		other, err := pep440.Parse(got)
		if err != nil || !other.Equal(want) && !strings.Contains(s, "+") { // the library reads the 01 of a local version as text
			t.Errorf("CanonicalVersion(%q) = %q, which is not equal", s, got)
		}
	})
}

func TestParseSdist(t *testing.T) {
	for _, file := range []string{"langdetect-1.0.9.tar.gz", "langdetect-1.0.9.zip"} {
		if name, version, ok := ParseSdist(file); name != "langdetect" || version != "1.0.9" || !ok {
			t.Errorf("ParseSdist(%q) = %q, %q, %v", file, name, version, ok)
		}
	}
	for _, file := range []string{"langdetect.tar.gz", "langdetect-main.zip", "-1.0.zip", "x-1.0.tar.bz2", "x-1.0-py3-none-any.whl", ""} {
		if name, version, ok := ParseSdist(file); ok {
			t.Errorf("ParseSdist(%q) = %q, %q", file, name, version)
		}
	}
}
