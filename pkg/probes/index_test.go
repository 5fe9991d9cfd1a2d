package probes

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/download"
	"github.com/reconcile-ml/reconcile/internal/redact"
)

// secret must appear in Environ only.
const secret = "s3cr3t-token"

func TestIndexSources(t *testing.T) {
	const mirror = "https://user:" + secret + "@mirror.example/simple"
	tests := []struct {
		name string
		do   func(m *fakeMachine)
		want IndexSettings // with ~ for the home directory and . for the project
	}{
		{"public", func(*fakeMachine) {}, IndexSettings{}},
		{"other variables", func(m *fakeMachine) {
			m.environ = append(m.environ, "SSL_CERT_FILE=/x", "HTTPS_PROXY=http://p.example", "UV_DEFAULT_INDEX=https://u.example", "PIP_EXTRA_INDEX_URL=https://e.example", "REQUESTS_CA_BUNDLE=/y")
		}, IndexSettings{Ignored: []string{"PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX"}}},
		{"named indexes", func(m *fakeMachine) {
			m.config("indexes: {pytorch-cu128: \"" + mirror + "\", other.one: https://o.example/simple}\n")
			m.environ = append(m.environ, "RECONCILE_INDEX_URL_OTHER_ONE=https://first.example/simple")
		}, IndexSettings{Named: map[string]string{"PYTORCH_CU128": mirror, "OTHER_ONE": "https://first.example/simple"}, Sources: []string{"RECONCILE_INDEX_URL_OTHER_ONE", "config.yaml"}}},
		{"RECONCILE variables", func(m *fakeMachine) {
			m.environ = append(m.environ, "RECONCILE_INDEX_URL="+mirror, "RECONCILE_CERT=~/ca.pem", "RECONCILE_FIND_LINKS=wheels /opt/w", "RECONCILE_PROXY=proxy.example:3128", "PIP_INDEX_URL=https://other.example")
		}, IndexSettings{URL: mirror, Cert: "~/ca.pem", FindLinks: []string{"./wheels", "/opt/w"}, Proxy: "http://proxy.example:3128", Sources: []string{"RECONCILE_INDEX_URL", "RECONCILE_CERT", "RECONCILE_FIND_LINKS", "RECONCILE_PROXY"}}},
		{"another database of vulnerabilities is no source of packages", func(m *fakeMachine) {
			m.config("osv_url: https://o.example/osv\n")
		}, IndexSettings{OSV: "https://o.example/osv"}},
		{
			"RECONCILE_INDEX variables", func(m *fakeMachine) { m.environ = append(m.environ, "RECONCILE_INDEX_CERT=/ca.pem") },
			IndexSettings{Cert: "/ca.pem", Sources: []string{"RECONCILE_INDEX_CERT"}},
		},
		{"config.yaml before pip", func(m *fakeMachine) {
			m.config("# mine\nindex_url: " + mirror + "\nfind_links: [~/wheels, \"https://w.example/w.html\"]\nproxy: p.example\n")
			m.environ = append(m.environ, "PIP_INDEX_URL=https://other.example", "PIP_CERT=/ca.pem", "RECONCILE_PROXY=first.example")
		}, IndexSettings{URL: mirror, Cert: "/ca.pem", FindLinks: []string{"~/wheels", "https://w.example/w.html"}, Proxy: "http://first.example", Sources: []string{"RECONCILE_PROXY", "config.yaml", "PIP_CERT"}}},
		{"files of the project are not read", func(m *fakeMachine) {
			m.put(m.root+"/.reconcile/local.yaml", "index_url: https://evil.example\n")
			m.put(m.root+"/.config/reconcile/config.yaml", "index_url: https://evil.example\n")
			m.put(m.root+"/pip.conf", "[global]\nindex-url = https://evil.example\n")
			m.put(m.root+"/.config/pip/pip.conf", "[global]\nindex-url = https://evil.example\n")
		}, IndexSettings{}},
		{"pip's files in order", func(m *fakeMachine) {
			m.put(m.sys+"/etc/pip.conf", "[global]\nindex-url = https://global.example\ncert = /global.pem\nproxy: p.example\n")
			m.put(m.home+"/.pip/pip.conf", "[global]\nindex_url = https://legacy.example\n")
			m.put(m.home+"/.config/pip/pip.conf", "[global]\nindex-url = https://user.example\n[install]\n--Index-URL = https://install.example\nfind-links =\n    /a\n    /b\n# x\n[list]\ncert = /no\n")
		}, IndexSettings{URL: "https://install.example", Cert: "/global.pem", FindLinks: []string{"/a", "/b"}, Proxy: "http://p.example", Sources: []string{"pip.conf of the user", "pip.conf of the system"}}},
		{"named file last", func(m *fakeMachine) {
			m.put(m.home+"/mine.conf", "[global]\nno-index = true\nfind-links = /w\n")
			m.put(m.home+"/.config/pip/pip.conf", "[global]\ncert = /user.pem\nfind-links = /other\n")
			m.environ = append(m.environ, "PIP_CONFIG_FILE="+m.home+"/mine.conf")
		}, IndexSettings{NoIndex: true, Cert: "/user.pem", FindLinks: []string{"/w"}, Sources: []string{"PIP_CONFIG_FILE", "pip.conf of the user"}}},
		{"files disabled", func(m *fakeMachine) {
			m.put(m.home+"/.config/pip/pip.conf", "[global]\ncert = /user.pem\n")
			m.environ = append(m.environ, "PIP_CONFIG_FILE=/dev/null")
		}, IndexSettings{}},
		{"XDG", func(m *fakeMachine) {
			m.put(m.home+"/xdg/pip/pip.conf", "[global]\ncert = /user.pem\n")
			m.environ = append(m.environ, "XDG_CONFIG_HOME="+m.home+"/xdg")
		}, IndexSettings{Cert: "/user.pem", Sources: []string{"pip.conf of the user"}}},
		{
			"loopback without TLS", func(m *fakeMachine) { m.environ = append(m.environ, "PIP_INDEX_URL=http://127.0.0.1:8080/simple") },
			IndexSettings{URL: "http://127.0.0.1:8080/simple", Sources: []string{"PIP_INDEX_URL"}},
		},
		{"a Mac", func(m *fakeMachine) {
			m.os, m.arch = "darwin", "arm64"
			m.put(m.sys+"/Library/Application Support/pip/pip.conf", "[global]\ncert = /system.pem\n")
			m.put(m.home+"/Library/Application Support/pip/pip.conf", "[global]\nproxy = p.example\n")
			m.put(m.home+"/.config/pip/pip.conf", "[global]\ncert = /no.pem\n")
		}, IndexSettings{Cert: "/system.pem", Proxy: "http://p.example", Sources: []string{"pip.conf of the user", "pip.conf of the system"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			tt.do(m)
			got, err := m.prober().Index()
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			want.Cert = strings.Replace(want.Cert, "~", m.home, 1)
			for i, l := range want.FindLinks {
				if strings.HasPrefix(l, "./") {
					want.FindLinks[i] = filepath.Join(m.root, l)
				}
				if rest, ok := strings.CutPrefix(l, "~"); ok {
					want.FindLinks[i] = m.home + rest
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("sources differ:\ngot  %v %q\nwant %v %q", got.Environ(), got.Sources, want.Environ(), want.Sources)
			}
		})
	}
}

func TestIndexProblems(t *testing.T) {
	tests := []struct{ name, variable, config, want string }{
		{"no URL", "RECONCILE_INDEX_URL=" + secret, "", "index_url of RECONCILE_INDEX_URL is not a URL"},
		{"broken URL", "PIP_INDEX_URL=https://a:" + secret + "@[x", "", "is not a URL"},
		{"no TLS", "PIP_INDEX_URL=http://u:" + secret + "@mirror.example/simple", "", "does not use https"},
		{"two lines", "RECONCILE_INDEX_URL=https://x.example/\n--extra-index-url=" + secret, "", ""},
		{"proxy scheme", "RECONCILE_PROXY=ftp://u:" + secret + "@p.example", "", "scheme"},
		{"config.yaml", "", "index-url: https://u:" + secret + "@x.example\n", "config.yaml:1:1: unknown key \"index-url\""},
		{"setting of config.yaml", "", "proxy: x\nindex_url: http://u:" + secret + "@x.example\n", "config.yaml:2:12: index_url of config.yaml does not use https"},
		{"relative file", "PIP_CONFIG_FILE=pip.conf", "", "PIP_CONFIG_FILE is not an absolute path"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			if tt.variable != "" {
				m.environ = append(m.environ, tt.variable)
			}
			if tt.config != "" {
				m.config(tt.config)
			}
			_, err := m.prober().Index()
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			for _, p := range diag.Problems(err) {
				if p.Code == "internal" {
					t.Errorf("not a problem: %v", p)
				}
			}
		})
	}
}

// TestIndexHidesSecrets searches every printed form of the settings for the token.
func TestIndexHidesSecrets(t *testing.T) {
	s := IndexSettings{
		URL: "https://user:" + secret + "@mirror.example/simple?k=" + secret, Proxy: "http://" + secret + "@p.example:1",
		FindLinks: []string{"https://x:" + secret + "@w.example/w.html#" + secret, "/opt/w"},
	}
	doc, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	fact, _ := json.Marshal(s.Fact())
	for _, shown := range []string{string(doc), string(fact), fmt.Sprint(s), fmt.Sprintf("%+v %#v %s", s, s, s)} {
		if strings.Contains(shown, secret) || !strings.Contains(shown, "mirror.example/simple") {
			t.Errorf("printed as %s", shown)
		}
	}
}

func TestIndexEnviron(t *testing.T) {
	s := IndexSettings{URL: "https://m.example/simple", Cert: "/ca.pem", FindLinks: []string{"/opt/w", "/my wheels, old"}, Proxy: "http://p.example"}
	want := []string{
		"SSL_CERT_FILE=/ca.pem",
		"HTTPS_PROXY=http://p.example", "HTTP_PROXY=http://p.example", "ALL_PROXY=http://p.example", "NO_PROXY=localhost,127.0.0.1,::1",
		"UV_NO_CONFIG=1", "UV_DEFAULT_INDEX=https://m.example/simple", "UV_FIND_LINKS=/opt/w,file:///my%20wheels%2C%20old",
	}
	if got := s.NetworkEnviron(); !reflect.DeepEqual(got, want[:5]) { // without the index and its password
		t.Errorf("for conda %q, want %q", got, want[:5])
	}
	if got := s.Environ(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := (IndexSettings{}).Environ(); len(got) != 1 {
		t.Errorf("the public index sets %q", got)
	}
	if got := (IndexSettings{NoIndex: true}); got.Fact().URL != "none" || !strings.Contains(fmt.Sprint(got.Environ()), "UV_NO_INDEX=1") {
		t.Errorf("no index gives %v", got)
	}
}

// TestClient checks that only the configured CA is trusted, and that the proxy is used for
// all hosts but this machine.
func TestClient(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // one handshake fails
	m := newMachine(t)
	ca := filepath.Join(m.home, "ca.pem")
	m.put(ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	for _, tt := range []struct {
		settings IndexSettings
		ok       bool
	}{{IndexSettings{Cert: ca}, true}, {IndexSettings{Cert: ca, Proxy: "http://192.0.2.1:9"}, true}, {IndexSettings{}, false}} {
		client, err := tt.settings.Client()
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Get(server.URL)
		if (err == nil) != tt.ok {
			t.Errorf("%v: error %v", tt.settings, err)
		}
		if err == nil {
			response.Body.Close()
		}
	}
	m.put(filepath.Join(m.home, "empty.pem"), "x")
	for _, name := range []string{"empty.pem", "none.pem"} {
		if _, err := (IndexSettings{Cert: filepath.Join(m.home, name)}).Client(); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked = r.URL.Host; r.Method == http.MethodConnect {
			http.Error(w, "", http.StatusProxyAuthRequired)
		}
	}))
	defer proxy.Close()
	client, err := IndexSettings{Proxy: proxy.URL}.Client()
	if err != nil {
		t.Fatal(err)
	}
	if response, err := client.Get("http://remote.example/x"); err == nil {
		response.Body.Close()
	}
	if asked != "remote.example" {
		t.Errorf("the proxy got a request for %q", asked)
	}
	_, err = client.Get("https://remote.example/x")
	if refused, ok := errors.AsType[*download.ProxyError](err); !ok || refused.Code != http.StatusProxyAuthRequired {
		t.Errorf("got %v from a proxy that refuses", err)
	}
}

func FuzzParseINI(f *testing.F) {
	f.Add([]byte("[global]\nindex-url = https://x.example\n[install]\nfind-links =\n  /a\n  /b\n; c\n"))
	f.Add([]byte("x\n=\n[]\n:\n y"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for section, values := range parseINI(b) {
			for name := range values {
				if strings.ContainsAny(section+name, "\n") || name != strings.ToLower(name) {
					t.Errorf("%q gives [%s] %s", b, section, name)
				}
			}
		}
	})
}

// TestProjectCannotBePipsConfiguration checks that PIP_CONFIG_FILE cannot lead into the
// project, by a link neither: a clone would choose the package index.
func TestProjectCannotBePipsConfiguration(t *testing.T) {
	m := newMachine(t)
	m.put(m.root+"/etc/pip.conf", "[global]\nindex-url = https://evil.example\n")
	m.link(m.root+"/etc/pip.conf", m.home+"/linked.conf")
	for _, name := range []string{m.root + "/etc/pip.conf", m.root + "/absent.conf", m.home + "/linked.conf", m.home + "/../project/etc/pip.conf"} {
		with := *m
		with.environ = append(with.environ, "PIP_CONFIG_FILE="+name)
		s, err := with.prober().Index()
		if err == nil || !strings.Contains(err.Error(), "PIP_CONFIG_FILE names a file of the project") {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

// TestCondaAlias checks that the password of a channel mirror is passed on, and neither
// recorded nor printed.
func TestCondaAlias(t *testing.T) {
	m := newMachine(t)
	m.environ = append(m.environ, "RECONCILE_CONDA_ALIAS=https://me:s3cr%40t@mirror.example/conda?token=abc")
	p := m.prober()
	p.Redactor = redact.New()
	s, err := p.Index()
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Fact().CondaAlias; got != "https://mirror.example/conda" {
		t.Errorf("the fact is %q", got)
	}
	if got := p.Redactor.String("s3cr@t s3cr%40t token=abc"); got != "*** *** ***" {
		t.Errorf("secrets are left: %q", got)
	}
	if env := strings.Join(s.Environ(), "\n"); strings.Contains(env, "mirror.example") {
		t.Errorf("pip and uv get the channels: %s", env)
	}
	if env := strings.Join(s.ChannelEnviron(), "\n"); env != "RECONCILE_CONDA_ALIAS=https://me:s3cr%40t@mirror.example/conda?token=abc\nCONDA_CHANNEL_ALIAS=https://mirror.example/conda\nMAMBA_CHANNEL_ALIAS=https://mirror.example/conda" {
		t.Errorf("not passed on: %q", env)
	}
}
