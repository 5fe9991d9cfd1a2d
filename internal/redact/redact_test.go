package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const password = `p@ss/wörd "1'\x+&<` + "\t."

// encodings returns the ways in which programs and servers print a text.
func encodings(s string) map[string]string {
	lower := ""
	for _, b := range []byte(s) {
		lower += fmt.Sprintf("%%%02x", b)
	}
	ascii, _ := json.Marshal(s)
	quoted, _ := json.Marshal(fmt.Sprintf("%q", s))
	return map[string]string{
		"as it is": s, "query": url.QueryEscape(s), "path": url.PathEscape(s), "every byte": lower, "upper": strings.ToUpper(lower),
		"twice": url.QueryEscape(url.QueryEscape(s)), "some bytes": strings.ReplaceAll(s, "/", "%2f"),
		"JSON": string(ascii), "Go": fmt.Sprintf("%q", s), "ASCII": fmt.Sprintf("%+q", s), "Go in JSON": string(quoted),
		"HTML": html.EscapeString(s), "shell": "'" + strings.ReplaceAll(s, "'", `'\''`) + "'",
		"Markdown": strings.NewReplacer("/", `\/`, "<", `\<`, "+", `\+`).Replace(s),
		"base64":   base64.StdEncoding.EncodeToString([]byte(s)), "base64 of a header": base64.StdEncoding.EncodeToString([]byte("robot:" + s)),
	}
}

func TestEveryEncodingIsReplaced(t *testing.T) {
	r := New()
	r.AddURL("https://robot:" + url.QueryEscape(password) + "@mirror.example/simple")
	for name, text := range encodings(password) {
		got := r.String("before " + text + " after")
		if !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") || strings.Trim(got[7:len(got)-6], `\"'=`) != Mask {
			t.Errorf("%s: %s is %s", name, text, got)
		}
	}
}

func TestPartsOfURLs(t *testing.T) {
	for _, test := range []struct{ url, text, want string }{
		{"https://ann:hunter2@h/simple", "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:hunter2")), "Basic ***="},
		{"https://ann:hunter2@h/simple", "https://ann:hunter2@h/simple/six", "https://***@h/simple/six"},
		{"https://robot:hunter2@h/simple", "robot may not; robots may; /home/robot", "*** may not; robots may; /home/***"},
		{"https://__token__:hunter2@h/simple", "__token__ hunter2", "__token__ ***"},
		{"https://s3cr3t@h/simple", "who is s3cr3t?", "who is ***?"},
		{"https://s3cr3t:x-oauth-basic@h/simple", "who is s3cr3t?", "who is ***?"},
		{"https://h/simple?token=abcd%2F1&format=json", "token=abcd/1, abcd%2f1 as json", "token=***, *** as json"},
		{"https://h/w.html?sig=a&x=b#t0ken", "a b x=b sig=a&x=b t0ken", "a b x=b *** ***"},
		{"https://u:a@h/", "a file of u; https://u:a@h/", "a file of u; https***h/"},
		{"proxyuser:p4ss@proxy.example:3128", "407 for proxyuser with p4ss", "407 for *** with ***"},
		{"https://h/simple/#sha256", "sha256", "***"},
		{"https://h/a@b/simple", "a@b", "a@b"},
		{"/home/ann/wheels", "/home/ann/wheels", "/home/ann/wheels"},
	} {
		r := New()
		r.AddURL(test.url)
		if got := r.String(test.text); got != test.want {
			t.Errorf("%s: %q is %q, want %q", test.url, test.text, got, test.want)
		}
	}
}

func TestOverlappingSecretsAreOne(t *testing.T) {
	r := New()
	r.Add("abcdef", "defghi", "abcd")
	if got := r.String("<abcdefghi> <abcde> <abcdabcd>"); got != "<***> <***e> <******>" {
		t.Error(got)
	}
}

func TestNoSecretsNoChange(t *testing.T) {
	var none *Redactor
	if none.String("hunter2") != "hunter2" || New().String("hunter2") != "hunter2" {
		t.Error("without secrets, text is changed")
	}
	r := New()
	r.AddURL("https://mirror.example/simple", "file:///wheels", "")
	r.AddEnviron([]string{"PATH=/usr/bin", "PIP_INDEX_URL=https://mirror.example/simple", "X_TOKEN=test"})
	if r.table.Load() != nil {
		t.Errorf("secrets: %v", r.secrets)
	}
}

func TestEnviron(t *testing.T) {
	home := t.TempDir()
	for name, text := range map[string]string{
		".netrc": "machine h login netuser\n  password n3trc\ndefault login x password \"qu0ted\"\n", ".cache/huggingface/token": "hf_fromfile\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(home, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environ := []string{
		"USER=ada", "HOME=" + home, "HF_TOKEN=hf_env", "UV_INDEX=corp=https://uvuser:uvpass@h/simple https://h/b?k=query", "UV_INDEX_CORP_PASSWORD=corp-pw",
		"HTTPS_PROXY=me:pr0xy@p:1", "GITHUB_TOKEN=ghp_12345678", "DOCS=https://h/?lang=python", "DB=postgres://db:dbpass@h/x", "RECONCILE_INDEX_URL=https://ada:ind3x@h/simple",
	}
	r := New()
	r.AddEnviron(environ)
	r.AddFiles(environ)
	r.AddArguments([]string{"run", "--", "fetch", "https://arguser:argpass@h/?lang=python"})
	secret := []string{"hf_env", "uvuser", "uvpass", "query", "corp-pw", "pr0xy", "ghp_12345678", "dbpass", "ind3x", "netuser", "n3trc", "argpass", "arguser", "qu0ted", "hf_fromfile"}
	for _, s := range secret {
		if got := r.String("(" + s + ")"); got != "(***)" {
			t.Errorf("%s is %s", s, got)
		}
	}
	for _, public := range []string{"/home/ada/x", "python", "https://h/simple"} {
		if got := r.String(public); got != public {
			t.Errorf("%s is %s", public, got)
		}
	}
}

func TestJSONRemainsValid(t *testing.T) {
	r := New()
	r.Add("nabc1", "41bcd", `", "b`, `q"q"`, "version", `u00e9x`)
	text, err := json.Marshal(map[string]any{"version": "\nabc1 Abcd version", "a": "x", "b": []string{`", "b`, `q"q"`, "\x0041bcd\u2028", `\`, "éx", `\u00e9x`}})
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("Abcd"), []byte(`\u0041bcd`))
	got := r.JSON(text)
	var v struct {
		Version string
		A       string
		B       []string
	}
	if err := json.Unmarshal(got, &v); err != nil {
		t.Fatalf("%v: %s is %s", err, text, got)
	}
	if v.Version != "*** *** ***" || v.A != "x" || len(v.B) != 6 || v.B[0] != Mask || v.B[1] != Mask || v.B[3] != `\` {
		t.Errorf("%s is %s", text, got)
	}
}

func TestWriterFindsSplitSecrets(t *testing.T) {
	for name, encoded := range encodings(password) {
		text := "first\n\rprogress " + encoded + " 10% \\u0041" + encoded + "\nrobot " + encoded
		for size := 1; size < 9; size++ {
			r := New()
			r.AddURL("https://robot:" + url.QueryEscape(password) + "@mirror.example/simple")
			var b bytes.Buffer
			w := r.Writer(&b)
			for rest := []byte(text); len(rest) > 0; {
				n := min(size, len(rest))
				if m, err := w.Write(rest[:n]); m != n || err != nil {
					t.Fatal(m, err)
				}
				rest = rest[n:]
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if want := r.String(text); b.String() != want {
				t.Fatalf("%s, %d bytes a write: %q, want %q", name, size, b.String(), want)
			}
		}
	}
}

func TestWriterDoesNotDelay(t *testing.T) {
	r := New()
	r.Add("hunter2")
	var b bytes.Buffer
	w := r.Writer(&b)
	for _, text := range []string{"Do this? Only \"yes\" is accepted: ", "\r 45 of 90 MB", "\n", "a line\n", "hunter\n"} {
		b.Reset()
		fmt.Fprint(w, text)
		if b.String() != text {
			t.Errorf("%q wrote %q", text, b.String())
		}
	}
	b.Reset()
	fmt.Fprint(w, "a hunt")
	if b.String() != "a " {
		t.Errorf("the beginning of a secret was written: %q", b.String())
	}
	if err := w.Flush(); err != nil || b.String() != "a hunt" {
		t.Errorf("%q after Flush: %v", b.String(), err)
	}
}

func TestSecretsThatAreFoundLateAreReplaced(t *testing.T) {
	r := New()
	var b bytes.Buffer
	w := r.Writer(&b)
	fmt.Fprintln(w, "hunter2")
	r.Add("hunter2")
	fmt.Fprintln(w, "hunter2")
	if b.String() != "hunter2\n***\n" {
		t.Errorf("%q", b.String())
	}
}

func FuzzRedactor(f *testing.F) {
	f.Add("hunter2", "a hunter2 b", uint8(3))
	f.Add(`a\b"c`, `{"a\\b\"c": "x\u0061"}`, uint8(1))
	f.Add("%2Fabc", "%252fabc /abc", uint8(2))
	f.Fuzz(func(t *testing.T, secret, text string, size uint8) {
		if strings.ContainsAny(secret, "*\n") || secret != strings.Trim(strings.TrimSpace(secret), `\`) {
			t.Skip("is replaced as a part, or the mask may complete it")
		}
		r := New()
		r.Add(secret)
		for _, text := range []string{text, text + secret + text} {
			got := r.String(text)
			if len(secret) >= minLength && strings.Contains(got, secret) {
				t.Errorf("%q in %q, of %q", secret, got, text)
			}
			if got != text && !strings.Contains(got, Mask) {
				t.Errorf("%q became %q without %s", text, got, Mask)
			}
			var b bytes.Buffer
			w := r.Writer(&b)
			for rest := []byte(text); len(rest) > 0; {
				n := min(int(size)+1, len(rest))
				if _, err := w.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := w.Flush(); err != nil || b.String() != got {
				t.Errorf("%q is written as %q, want %q", text, b.String(), got)
			}
			encoded, err := json.Marshal([]string{text, secret})
			if err != nil {
				t.Fatal(err)
			}
			if redacted := r.JSON(encoded); !json.Valid(redacted) {
				t.Errorf("%s became %s", encoded, redacted)
			}
		}
	})
}

// BenchmarkPlan writes the text of a plan with 10,000 lines.
func BenchmarkPlan(b *testing.B) {
	var text []byte
	for i := range 10_000 {
		text = fmt.Appendf(text, "  + file.config-%d   create config/model-%d/settings.json (mode 0644, sha256 %064x)\n", i, i, i)
	}
	for _, name := range []string{"no secrets", "secrets"} {
		b.Run(name, func(b *testing.B) {
			r := New()
			if name == "secrets" {
				r.AddURL("https://robot:hunter2secret@mirror.example/simple?token=abcdef123456", "https://h/w?sig=0123456789ab", "http://me:pr0xypass@p:1")
				r.Add("hf_abcdefghijkl")
			}
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				w := r.Writer(&bytes.Buffer{})
				if _, err := w.Write(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
