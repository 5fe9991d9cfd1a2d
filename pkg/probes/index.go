package probes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
)

// IndexSettings is where this machine gets packages from, secrets included. It
// prints and encodes without them.
//
// Each setting comes from the first of these that has it:
//
//  1. RECONCILE_INDEX_URL, RECONCILE_CERT, RECONCILE_FIND_LINKS, RECONCILE_PROXY,
//     RECONCILE_CONDA_ALIAS
//     (also RECONCILE_INDEX_CERT, _FIND_LINKS, _PROXY)
//  2. .reconcile/local.yaml
//  3. PIP_INDEX_URL, PIP_CERT, PIP_FIND_LINKS, PIP_PROXY, PIP_NO_INDEX
//  4. pip's configuration files, unless PIP_CONFIG_FILE is /dev/null
//
// Nothing else of the inherited environment counts: not SSL_CERT_FILE, not
// HTTPS_PROXY.
type IndexSettings struct {
	URL       string   // "" for the public index
	NoIndex   bool     // only FindLinks, as pip's no-index says
	Cert      string   // CA bundle, absolute; "" for what the tools bring
	FindLinks []string // folders (absolute) and pages with wheels
	Proxy     string   // URL; "" for none
	// CondaAlias is the address below which channels of conda lie that the manifest
	// gives no address; "" for the public ones.
	CondaAlias string
	Sources    []string // what said so, in the order above, each once
}

// variables are the settings by the variables that carry them.
var variables = []struct{ setting, name string }{
	{"index_url", "RECONCILE_INDEX_URL"},
	{"cert", "RECONCILE_CERT"},
	{"cert", "RECONCILE_INDEX_CERT"},
	{"find_links", "RECONCILE_FIND_LINKS"},
	{"find_links", "RECONCILE_INDEX_FIND_LINKS"},
	{"proxy", "RECONCILE_PROXY"},
	{"proxy", "RECONCILE_INDEX_PROXY"},
	{"conda_alias", "RECONCILE_CONDA_ALIAS"},
}

// A setting is one value and what said so.
type setting struct {
	name   string // "index_url", "cert", "find_links", "proxy", "no_index", "conda_alias"
	values []string
	source string
	pos    diag.Pos
}

// Index returns the settings of this machine. Errors are *diag.Problem values
// that never hold a value which could be a secret.
func (p *Prober) Index() (IndexSettings, error) {
	var all []setting
	for _, v := range variables {
		if value := p.environ[v.name]; value != "" {
			all = append(all, setting{name: v.setting, values: splitValues(v.setting, value), source: v.name})
		}
	}
	local, err := p.localConfig()
	if err != nil {
		return IndexSettings{}, err
	}
	all = append(all, local...)
	fromPip, err := p.pipSettings()
	if err != nil {
		return IndexSettings{}, err
	}
	return p.merge(append(all, fromPip...))
}

// merge takes the first setting of each name.
func (p *Prober) merge(all []setting) (IndexSettings, error) {
	var s IndexSettings
	taken := map[string]bool{}
	var problems diag.List
	for _, one := range all {
		if taken[one.name] || len(one.values) == 0 {
			continue
		}
		taken[one.name] = true
		if err := p.apply(&s, one); err != nil {
			problems.Add(&diag.Problem{
				Code: "index.setting", Pos: one.pos, Summary: fmt.Sprintf("%s of %s %v", one.name, one.source, err),
				Hint: "correct it there, or set RECONCILE_" + strings.ToUpper(one.name) + ", which goes first",
			})
			continue
		}
		if !slices.Contains(s.Sources, one.source) {
			s.Sources = append(s.Sources, one.source)
		}
	}
	if err := problems.Err(); err != nil {
		return IndexSettings{}, err
	}
	return s, nil
}

// apply checks one setting and takes it over. Errors say what is wrong without
// saying the value.
func (p *Prober) apply(s *IndexSettings, one setting) (err error) {
	value := one.values[0]
	switch one.name {
	case "index_url":
		s.URL, err = value, checkURL(value, true)
	case "conda_alias":
		s.CondaAlias, err = value, checkURL(value, true)
	case "proxy":
		if !strings.Contains(value, "://") {
			value = "http://" + value // as pip reads it
		}
		s.Proxy, err = value, checkURL(value, false)
	case "cert":
		s.Cert, err = p.place(value)
	case "no_index":
		s.NoIndex = value == "1" || strings.EqualFold(value, "true") || strings.EqualFold(value, "yes") || strings.EqualFold(value, "on")
	case "find_links":
		for _, v := range one.values {
			if strings.Contains(v, "://") {
				err = errors.Join(err, checkURL(v, true))
			} else if v, err = p.place(v); err != nil {
				return err
			}
			s.FindLinks = append(s.FindLinks, v)
		}
	}
	return err
}

// checkURL says what is wrong with a URL. An index that is not this machine must
// be reached by TLS, which nothing here weakens; pip would pass it over.
func checkURL(value string, secure bool) error {
	u, err := url.Parse(value)
	switch {
	case err != nil, u.Host == "" && u.Scheme != "file":
		return errors.New("is not a URL") // the parser's message holds the value
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return errors.New("holds blanks or control characters")
	case u.Scheme == "https", u.Scheme == "file" && secure:
		return nil
	case u.Scheme == "http" && (!secure || isLoopback(u.Hostname())):
		return nil
	case u.Scheme == "http":
		return errors.New("is not reached by https, and is not this machine")
	case !secure && strings.HasPrefix(u.Scheme, "socks"):
		return nil
	}
	return errors.New("has a scheme that is not https")
}

func isLoopback(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

// place makes the name of a file or folder absolute: ~ is the user's home, the
// rest is relative to the project.
func (p *Prober) place(name string) (string, error) {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		if p.home == "" {
			return "", errors.New("begins with ~, and this user has no home")
		}
		return filepath.Join(p.home, rest), nil
	}
	if strings.IndexByte(name, 0) >= 0 {
		return "", errors.New("holds a zero byte")
	}
	return filepath.Clean(p.abs(name)), nil
}

// splitValues splits a setting that may have several values at blanks, as pip
// does.
func splitValues(name, value string) []string {
	if name == "find_links" {
		return strings.Fields(value)
	}
	return []string{strings.TrimSpace(value)}
}

// redact returns a URL without user, password, query and fragment, all of which
// carry tokens somewhere. What is no URL stays.
func redact(value string) string {
	u, err := url.Parse(value)
	if err != nil || !strings.Contains(value, "://") {
		if strings.Contains(value, "://") {
			return "(unreadable)"
		}
		return value
	}
	u.User, u.RawQuery, u.Fragment, u.RawFragment, u.ForceQuery = nil, "", "", "", false
	return u.String()
}

// Fact returns the settings without secrets.
func (s IndexSettings) Fact() facts.Index {
	f := facts.Index{URL: "public", Cert: s.Cert, Proxy: redact(s.Proxy), Sources: s.Sources}
	if s.URL != "" {
		f.URL = redact(s.URL)
	}
	if s.NoIndex {
		f.URL = "none"
	}
	f.CondaAlias = redact(s.CondaAlias)
	for _, l := range s.FindLinks {
		f.FindLinks = append(f.FindLinks, redact(l))
	}
	return f
}

// String returns what may be shown.
func (s IndexSettings) String() string { return fmt.Sprintf("%+v", s.Fact()) }

// GoString returns what may be shown, for %#v.
func (s IndexSettings) GoString() string { return fmt.Sprintf("%#v", s.Fact()) }

// MarshalJSON writes what may be shown.
func (s IndexSettings) MarshalJSON() ([]byte, error) { return json.Marshal(s.Fact()) }

// Secrets returns every part of the settings that must not be seen, as it may
// appear in the output of a program: users, passwords, queries.
func (s IndexSettings) Secrets() []string {
	var out []string
	for _, value := range append([]string{s.URL, s.Proxy, s.CondaAlias}, s.FindLinks...) {
		u, err := url.Parse(value)
		if err != nil {
			continue
		}
		if u.User != nil {
			password, _ := u.User.Password()
			out = append(out, u.User.String(), password, url.QueryEscape(password))
			if password == "" {
				out = append(out, u.User.Username()) // a token in the user's place
			}
		}
		out = append(out, u.RawQuery)
	}
	out = slices.DeleteFunc(out, func(v string) bool { return v == "" })
	slices.Sort(out)
	return slices.Compact(out)
}

// ChannelEnviron returns the variables that tell what gets packages of conda where
// channels lie. py-rattler alone is told user and password, which hold secrets: clients
// of conda write the address of a package into the environment as they were given it.
func (s IndexSettings) ChannelEnviron() []string {
	if s.CondaAlias == "" {
		return nil
	}
	shown := redact(s.CondaAlias)
	return []string{"RECONCILE_CONDA_ALIAS=" + s.CondaAlias, "CONDA_CHANNEL_ALIAS=" + shown, "MAMBA_CHANNEL_ALIAS=" + shown}
}

// Environ returns the variables that hand the settings to pip and uv, and keep
// both from reading configuration files. They hold secrets.
func (s IndexSettings) Environ() []string {
	env := []string{"PIP_CONFIG_FILE=/dev/null", "UV_NO_CONFIG=1"}
	set := func(value string, names ...string) {
		for _, n := range names {
			if value != "" {
				env = append(env, n+"="+value)
			}
		}
	}
	set(s.URL, "PIP_INDEX_URL", "UV_DEFAULT_INDEX")
	set(s.Cert, "PIP_CERT", "SSL_CERT_FILE")
	if s.NoIndex {
		set("1", "PIP_NO_INDEX", "UV_NO_INDEX")
	}
	links := make([]string, len(s.FindLinks))
	for i, l := range s.FindLinks {
		links[i] = linkWord(l)
	}
	set(strings.Join(links, " "), "PIP_FIND_LINKS")
	set(strings.Join(links, ","), "UV_FIND_LINKS")
	if s.Proxy != "" {
		set(s.Proxy, "PIP_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
		set("localhost,127.0.0.1,::1", "NO_PROXY")
	}
	return env
}

// linkWord spells a folder so that neither pip, which splits at blanks, nor uv,
// which splits at commas, takes it apart.
func linkWord(link string) string {
	if !strings.ContainsAny(link, " \t\n,") {
		return link
	}
	if strings.Contains(link, "://") {
		return strings.ReplaceAll(link, ",", "%2C")
	}
	u := url.URL{Scheme: "file", Path: link}
	return strings.ReplaceAll(u.String(), ",", "%2C")
}

// localConfig reads .reconcile/local.yaml.
func (p *Prober) localConfig() ([]setting, error) {
	name := layout.LocalConfig()
	b, err := readSmall(p.abs(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &diag.Problem{Code: "index.local", Pos: diag.Pos{File: name}, Summary: "this machine's settings cannot be read", Found: reason(err)}
	}
	return parseLocal(name, b)
}

// mostSettings is how long a file of settings may be, in bytes.
const mostSettings = 64 << 10

func readSmall(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a file")
	}
	if info.Size() > mostSettings {
		return nil, fmt.Errorf("%d bytes, more than %d", info.Size(), mostSettings)
	}
	b, err := os.ReadFile(name)
	return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), err
}
