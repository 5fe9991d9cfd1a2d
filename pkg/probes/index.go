package probes

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/internal/userconfig"
)

// IndexSettings are the package index settings of this machine, including secrets, which
// its printed and encoded forms omit.
//
// Each setting comes from the first source that has it:
//
//  1. RECONCILE_INDEX_URL, RECONCILE_CERT, RECONCILE_FIND_LINKS, RECONCILE_PROXY,
//     RECONCILE_CONDA_ALIAS, RECONCILE_OSV_URL (also RECONCILE_INDEX_CERT, _FIND_LINKS, _PROXY)
//  2. config.yaml of the user, see package userconfig
//  3. PIP_INDEX_URL, PIP_CERT, PIP_FIND_LINKS, PIP_PROXY, PIP_NO_INDEX
//  4. pip's configuration files, unless PIP_CONFIG_FILE is /dev/null
//
// Other variables of the inherited environment, such as SSL_CERT_FILE and HTTPS_PROXY, are
// ignored.
type IndexSettings struct {
	URL       string   // "" for the public index
	NoIndex   bool     // use FindLinks only, as with pip --no-index
	Cert      string   // CA bundle, absolute; "" for the one of each tool
	FindLinks []string // folders (absolute) and pages with wheels
	Proxy     string   // URL; "" for none
	// CondaAlias is the base URL of the conda channels for which the manifest has no URL;
	// "" for the public ones.
	CondaAlias string
	// OSV is the base URL of the database of vulnerabilities, "" for the public one.
	OSV string
	// Named are the URLs of named indexes, by IndexKey; they replace those of a manifest.
	Named   map[string]string
	Sources []string // of the settings, in the order above, each once
	Ignored []string // settings of pip and uv for further indexes, which have no effect
}

// IndexKey returns the name of an index as in the variable RECONCILE_INDEX_URL_NAME.
func IndexKey(name string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToUpper(name))
}

// Locate returns the URL of a named index: that of this machine, else that of the manifest.
func (s IndexSettings) Locate(name, manifest string) string {
	return cmp.Or(s.Named[IndexKey(name)], manifest)
}

// A setting is one setting and its source.
type setting struct {
	name   string // "index_url", "cert", "find_links", "proxy", "no_index", "conda_alias", "osv_url"
	values []string
	source string
	pos    diag.Pos
}

// Index returns the settings of this machine, and adds the secrets of all of them, in use or
// not, to the Redactor. Errors are *diag.Problem values without secrets.
func (p *Prober) Index() (IndexSettings, error) {
	var all []setting
	for _, v := range [][2]string{
		{"index_url", "RECONCILE_INDEX_URL"},
		{"cert", "RECONCILE_CERT"},
		{"cert", "RECONCILE_INDEX_CERT"},
		{"find_links", "RECONCILE_FIND_LINKS"},
		{"find_links", "RECONCILE_INDEX_FIND_LINKS"},
		{"proxy", "RECONCILE_PROXY"},
		{"proxy", "RECONCILE_INDEX_PROXY"},
		{"conda_alias", "RECONCILE_CONDA_ALIAS"},
		{"osv_url", "RECONCILE_OSV_URL"},
	} {
		all = appendSetting(all, v[0], p.environ[v[1]], v[1])
	}
	for _, name := range slices.Sorted(maps.Keys(p.environ)) {
		if key, ok := strings.CutPrefix(name, "RECONCILE_INDEX_URL_"); ok {
			all = appendSetting(all, userconfig.IndexPrefix+key, p.environ[name], name)
		}
	}
	config := p.Settings
	if config == nil {
		var err error
		if config, err = userconfig.Load(p.home, func(name string) string { return p.environ[name] }); err != nil {
			return IndexSettings{}, err
		}
	}
	for _, s := range config.Index {
		name := s.Name
		if index, ok := strings.CutPrefix(name, userconfig.IndexPrefix); ok {
			name = userconfig.IndexPrefix + IndexKey(index)
		}
		all = append(all, setting{name: name, values: s.Values, source: "config.yaml", pos: s.Pos})
	}
	fromPip, err := p.pipSettings()
	if err != nil {
		return IndexSettings{}, err
	}
	all = append(all, fromPip...)
	for _, one := range all {
		for _, value := range one.values {
			if strings.Contains(value, "://") || one.name == "proxy" {
				p.Redactor.AddURL(value)
			}
		}
	}
	settings, err := p.merge(all)
	for _, name := range []string{"PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX", "UV_INDEX_URL"} {
		if p.environ[name] != "" {
			p.Redactor.AddURL(strings.Fields(p.environ[name])...)
			settings.Ignored = append(settings.Ignored, name)
		}
	}
	return settings, err
}

// merge applies the first setting of each name.
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
			name, variable := one.name, "RECONCILE_"+strings.ToUpper(one.name)
			if key, ok := strings.CutPrefix(one.name, userconfig.IndexPrefix); ok {
				name, variable = "the URL of index "+key, "RECONCILE_INDEX_URL_"+key
			}
			hint := "correct it there"
			if variable != one.source {
				hint += ", or set " + variable + ", which takes precedence"
			}
			problems.Add(&diag.Problem{Code: "index.setting", Pos: one.pos, Summary: fmt.Sprintf("%s of %s %v", name, one.source, err), Hint: hint})
			continue
		}
		if one.name != "osv_url" && !slices.Contains(s.Sources, one.source) { // packages do not come from there
			s.Sources = append(s.Sources, one.source)
		}
	}
	if err := problems.Err(); err != nil {
		return IndexSettings{}, err
	}
	return s, nil
}

// apply validates one setting and stores it in s. Errors do not contain the value.
func (p *Prober) apply(s *IndexSettings, one setting) (err error) {
	value := one.values[0]
	if key, ok := strings.CutPrefix(one.name, userconfig.IndexPrefix); ok {
		if s.Named == nil {
			s.Named = map[string]string{}
		}
		s.Named[key] = value
		return checkURL(value, true)
	}
	switch one.name {
	case "index_url":
		s.URL, err = value, checkURL(value, true)
	case "conda_alias":
		s.CondaAlias, err = value, checkURL(value, true)
	case "osv_url":
		s.OSV, err = value, checkURL(value, true)
	case "proxy":
		if !strings.Contains(value, "://") {
			value = "http://" + value // as in pip
		}
		s.Proxy, err = value, checkURL(value, false)
	case "cert":
		s.Cert, err = p.settingPath(value)
	case "no_index":
		s.NoIndex = value == "1" || strings.EqualFold(value, "true") || strings.EqualFold(value, "yes") || strings.EqualFold(value, "on")
	case "find_links":
		for _, v := range one.values {
			if strings.Contains(v, "://") {
				err = errors.Join(err, checkURL(v, true))
			} else if v, err = p.settingPath(v); err != nil {
				return err
			}
			s.FindLinks = append(s.FindLinks, v)
		}
	}
	return err
}

// checkURL returns an error for an invalid URL. An index on another machine must use TLS;
// pip ignores others.
func checkURL(value string, secure bool) error {
	u, err := url.Parse(value)
	switch {
	case err != nil, u.Host == "" && u.Scheme != "file":
		return errors.New("is not a URL") // the message of the parser contains the value
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return errors.New("contains blanks or control characters")
	case u.Scheme == "https", u.Scheme == "file" && secure:
		return nil
	case u.Scheme == "http" && (!secure || isLoopback(u.Hostname())):
		return nil
	case u.Scheme == "http":
		return errors.New("does not use https, and is not this machine")
	case !secure && strings.HasPrefix(u.Scheme, "socks"):
		return nil
	}
	return errors.New("has a scheme that is not https")
}

func isLoopback(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

// settingPath makes the name of a file or folder of a variable or of pip absolute: ~ is the
// user's home, and other names are relative to the project.
func (p *Prober) settingPath(name string) (string, error) {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		if p.home == "" {
			return "", errors.New("begins with ~, and this user has no home directory")
		}
		return filepath.Join(p.home, rest), nil
	}
	if strings.IndexByte(name, 0) >= 0 {
		return "", errors.New("contains a zero byte")
	}
	return filepath.Clean(p.abs(name)), nil
}

// appendSetting appends a setting unless its value is empty. find_links is split at blanks,
// as in pip.
func appendSetting(all []setting, name, value, source string) []setting {
	values := []string{strings.TrimSpace(value)}
	switch {
	case value == "":
		return all
	case name == "find_links":
		values = strings.Fields(value)
	}
	return append(all, setting{name: name, values: values, source: source})
}

// shownURL returns a URL without user, password, query and fragment, which may contain
// tokens. Other text is returned as it is.
func shownURL(value string) string {
	if !strings.Contains(value, "://") {
		return value
	}
	u, err := url.Parse(value)
	if err != nil {
		return "(unreadable)"
	}
	u.User, u.RawQuery, u.Fragment, u.RawFragment, u.ForceQuery = nil, "", "", "", false
	return u.String()
}

// Fact returns the settings without secrets.
func (s IndexSettings) Fact() facts.Index {
	f := facts.Index{URL: cmp.Or(shownURL(s.URL), "public"), Cert: s.Cert, Proxy: shownURL(s.Proxy), CondaAlias: shownURL(s.CondaAlias), Sources: s.Sources, Ignored: s.Ignored}
	for key, location := range s.Named {
		if f.Named == nil {
			f.Named = map[string]string{}
		}
		f.Named[key] = shownURL(location)
	}
	if s.NoIndex {
		f.URL = "none"
	}
	for _, l := range s.FindLinks {
		f.FindLinks = append(f.FindLinks, shownURL(l))
	}
	return f
}

// String returns the settings without secrets.
func (s IndexSettings) String() string { return fmt.Sprintf("%+v", s.Fact()) }

// GoString returns the settings without secrets, for %#v.
func (s IndexSettings) GoString() string { return fmt.Sprintf("%#v", s.Fact()) }

// MarshalJSON writes the settings without secrets.
func (s IndexSettings) MarshalJSON() ([]byte, error) { return json.Marshal(s.Fact()) }

// ChannelEnviron returns the variables with the base URL of conda channels. Only that for
// py-rattler has the user and password: conda clients write the URL of a package into the
// environment.
func (s IndexSettings) ChannelEnviron() []string {
	if s.CondaAlias == "" {
		return nil
	}
	shown := shownURL(s.CondaAlias)
	return []string{"RECONCILE_CONDA_ALIAS=" + s.CondaAlias, "CONDA_CHANNEL_ALIAS=" + shown, "MAMBA_CHANNEL_ALIAS=" + shown}
}

// Environ returns the variables that pass the settings, with secrets, to uv, and that prevent
// it from reading configuration files.
func (s IndexSettings) Environ() []string {
	env := append(s.NetworkEnviron(), "UV_NO_CONFIG=1")
	if s.URL != "" {
		env = append(env, "UV_DEFAULT_INDEX="+s.URL)
	}
	if s.NoIndex {
		env = append(env, "UV_NO_INDEX=1")
	}
	links := make([]string, len(s.FindLinks))
	for i, l := range s.FindLinks {
		links[i] = quoteLink(l)
	}
	if len(links) > 0 {
		env = append(env, "UV_FIND_LINKS="+strings.Join(links, ","))
	}
	if slices.ContainsFunc(append(links, s.URL), func(l string) bool { return strings.Contains(l, "://") && strings.ContainsAny(l, "?#") }) {
		env = append(env, "UV_NO_CACHE=1") // uv writes the addresses of pages into its cache, without users but with queries
	}
	return env
}

// NetworkEnviron returns the variables that pass the CA file and the proxy to a program that
// downloads: all that one needs which does not use the package index.
func (s IndexSettings) NetworkEnviron() []string {
	var env []string
	if s.Cert != "" {
		env = append(env, "SSL_CERT_FILE="+s.Cert)
	}
	if s.Proxy != "" {
		env = append(env, "HTTPS_PROXY="+s.Proxy, "HTTP_PROXY="+s.Proxy, "ALL_PROXY="+s.Proxy, "NO_PROXY=localhost,127.0.0.1,::1")
	}
	return env
}

// quoteLink encodes a link with blanks or commas as a URL, since uv splits at commas.
func quoteLink(link string) string {
	if !strings.ContainsAny(link, " \t\n,") {
		return link
	}
	if !strings.Contains(link, "://") {
		link = (&url.URL{Scheme: "file", Path: link}).String()
	}
	return strings.ReplaceAll(link, ",", "%2C")
}

// readSmall reads a file of at most 64 KiB, without a byte order mark.
func readSmall(name string) ([]byte, error) {
	b, err := rawfile.ReadFile(name, 64<<10, 0)
	return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), err
}
