package pyenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInstalled(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "lxml_html_clean-0.4.4.dist-info/METADATA"), "Metadata-Version: 2.1\r\nName: lxml_html_clean\r\nVersion: 0.4.4\r\n\r\n", 0o644)
	put(t, filepath.Join(dir, "Foo.Bar-1.0.dist-info/METADATA"), "name: Foo.Bar\nSummary: a\n Version: folded\nVersion: 1.0.post1\n\nbody", 0o644)
	put(t, filepath.Join(dir, "Foo.Bar-1.0.dist-info/direct_url.json"), `{"url": "file:///src/foo", "dir_info": {"editable": true}}`, 0o644)
	put(t, filepath.Join(dir, "foo_bar-0.9.dist-info/METADATA"), "Name: foo-bar\nVersion: 0.9\n", 0o644)
	put(t, filepath.Join(dir, "foo_bar-0.9.dist-info/direct_url.json"), `{"url": "https://x.example/f.git", "vcs_info": {"vcs": "git"}}`, 0o644)
	put(t, filepath.Join(dir, "torch-2.1.0-py3.10.egg-info/PKG-INFO"), "Name: torch\nVersion: 2.1.0\n", 0o644)
	put(t, filepath.Join(dir, "single-3.0-py3.10.egg-info"), "Name: single\nVersion: 3.0\n", 0o644)
	put(t, filepath.Join(dir, "dev.egg-info/PKG-INFO"), "Name: dev\nVersion: 0.1\n", 0o644)
	put(t, filepath.Join(dir, "dev.egg-link"), "/src", 0o644)
	put(t, filepath.Join(dir, "~umpy-1.26.4.dist-info/METADATA"), "Name: numpy\nVersion: 1.26.4\n", 0o644)
	put(t, filepath.Join(dir, "half-1.0.dist-info/RECORD"), "", 0o644)
	put(t, filepath.Join(dir, "long-2.0.dist-info/METADATA"), "License: "+strings.Repeat("x", 9000)+"\nName: long\nVersion: 2.0\n", 0o644)
	put(t, filepath.Join(dir, "noname-2.0.dist-info/METADATA"), "Summary: x\n\nName: body\n", 0o644)
	put(t, filepath.Join(dir, "foo/__init__.py"), "", 0o644)
	want := []Dist{
		{Name: "dev", Version: "0.1", Origin: "editable", InfoDir: "dev.egg-info"},
		{Name: "foo-bar", Version: "1.0.post1", Origin: "editable", InfoDir: "Foo.Bar-1.0.dist-info"},
		{Name: "foo-bar", Version: "0.9", Origin: "vcs", InfoDir: "foo_bar-0.9.dist-info"},
		{Name: "half", Version: "1.0", InfoDir: "half-1.0.dist-info", Problem: "has no METADATA"},
		{Name: "long", Version: "2.0", InfoDir: "long-2.0.dist-info"},
		{Name: "lxml-html-clean", Version: "0.4.4", InfoDir: "lxml_html_clean-0.4.4.dist-info"},
		{Name: "noname", Version: "2.0", InfoDir: "noname-2.0.dist-info", Problem: "METADATA has no name or no version"},
		{Name: "single", Version: "3.0", InfoDir: "single-3.0-py3.10.egg-info"},
		{Name: "torch", Version: "2.1.0", InfoDir: "torch-2.1.0-py3.10.egg-info"},
		{Name: "umpy", Version: "1.26.4", InfoDir: "~umpy-1.26.4.dist-info", Problem: "left behind by an interrupted pip"},
	}
	got, err := Installed(dir)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d distributions, error %v: %+v", len(got), err, got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
	if none, err := Installed(filepath.Join(dir, "absent")); err != nil || none != nil {
		t.Errorf("an absent folder gives %v, %v", none, err)
	}
}

// TestInstalledDoesNotBlock puts a pipe where METADATA should be.
func TestInstalledDoesNotBlock(t *testing.T) {
	dir := t.TempDir()
	mkdir(t, filepath.Join(dir, "six-1.0.dist-info"))
	mkfifo(t, filepath.Join(dir, "six-1.0.dist-info/METADATA"))
	if got, err := Installed(dir); err == nil && (len(got) != 1 || got[0].Problem == "") {
		t.Errorf("a pipe gave %+v", got)
	}
}

func FuzzParseMetadata(f *testing.F) {
	f.Add([]byte("Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n\n"))
	f.Add([]byte("name:\r\n x\r\nVersion : 1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		name, version, done := parseMetadata(b)
		again, v2, d2 := parseMetadata(append(b, '\n', '\n'))
		if done && (name != again || version != v2 || !d2) {
			t.Errorf("%q: %q %q, with more text %q %q", b, name, version, again, v2)
		}
		if strings.ContainsAny(name+version, "\n") {
			t.Errorf("%q: a name of two lines", b)
		}
	})
}

func FuzzParseOrigin(f *testing.F) {
	f.Add([]byte(`{"url":"file:///x","dir_info":{"editable":true}}`))
	f.Add([]byte(`{"url":"https://x.example/a.whl","archive_info":{"hash":"sha256=1"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		switch origin, err := parseOrigin(b); origin {
		case "editable", "vcs", "local", "url":
		default:
			if err == nil {
				t.Errorf("%q gives the origin %q", b, origin)
			}
		}
	})
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte("home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.10.13\n"))
	f.Add([]byte("home = /opt/bin\nuv = 0.13.9\nversion_info = 3.10\nprompt = 'x'\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := parseConfig(b); err == nil && !filepath.IsAbs(c.Home) {
			t.Errorf("%q gives the home %q", b, c.Home)
		}
	})
}

func TestScripts(t *testing.T) {
	dir, _ := newGeneration(t, twoDists())
	put(t, filepath.Join(dir, "bin/nltk"), "#!", 0o755)
	put(t, filepath.Join(dir, "bin/notes.txt"), "", 0o644)
	got, err := Scripts(dir)
	if err != nil || strings.Join(got, " ") != "nltk python python3" {
		t.Errorf("scripts %v, error %v", got, err)
	}
}

func TestExclusiveSizeOmitsSharedFiles(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a/x"), strings.Repeat("x", 1<<20), 0o644)
	if err := os.Link(filepath.Join(dir, "a/x"), filepath.Join(dir, "a/y")); err != nil {
		t.Skip("no hard links: ", err)
	}
	one, err := ExclusiveSize(filepath.Join(dir, "a"))
	if err != nil || one < 1<<20 || one >= 2<<20 {
		t.Fatalf("size %d, error %v", one, err)
	}
	mkdir(t, filepath.Join(dir, "b"))
	if err := os.Link(filepath.Join(dir, "a/x"), filepath.Join(dir, "b/x")); err != nil {
		t.Fatal(err)
	}
	if shared, err := ExclusiveSize(filepath.Join(dir, "a")); err != nil || shared >= 1<<20 {
		t.Errorf("size %d of a folder with a shared file, error %v", shared, err)
	}
}
