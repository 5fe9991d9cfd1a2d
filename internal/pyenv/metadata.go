package pyenv

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// parseMetadata returns the name and version in the head of a METADATA or
// PKG-INFO file: RFC 822 headers up to the first blank line. done is false where
// the text ends before both are known and before the head does, so that more of
// the file must be read.
func parseMetadata(b []byte) (name, version string, done bool) {
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		if !whole {
			return name, version, false
		}
		b = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			return name, version, true
		}
		if line[0] == ' ' || line[0] == '\t' {
			continue // the rest of a folded header
		}
		key, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		switch {
		case name == "" && bytes.EqualFold(key, []byte("name")):
			name = string(bytes.TrimSpace(value))
		case version == "" && bytes.EqualFold(key, []byte("version")):
			version = string(bytes.TrimSpace(value))
		}
		if name != "" && version != "" {
			return name, version, true
		}
	}
	return name, version, false
}

// parseOrigin returns the origin that a direct_url.json tells (PEP 610).
func parseOrigin(b []byte) (string, error) {
	var doc struct {
		URL     string `json:"url"`
		DirInfo *struct {
			Editable bool `json:"editable"`
		} `json:"dir_info"`
		VCSInfo     *struct{} `json:"vcs_info"`
		ArchiveInfo *struct{} `json:"archive_info"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return "", fmt.Errorf("direct_url.json: %w", err)
	}
	switch {
	case doc.DirInfo != nil && doc.DirInfo.Editable:
		return "editable", nil
	case doc.VCSInfo != nil:
		return "vcs", nil
	case doc.DirInfo != nil, strings.HasPrefix(doc.URL, "file:"):
		return "local", nil
	}
	return "url", nil
}

// parseInfoName takes the name of a metadata entry apart: "lxml_html_clean" and
// "0.4.4" for lxml_html_clean-0.4.4.dist-info, "torch" and "2.1.0" for
// torch-2.1.0-py3.10.egg-info. Only METADATA knows for sure; this is for
// comparing without opening it.
func parseInfoName(entry string) (name, version string, ok bool) {
	if stem, is := strings.CutSuffix(entry, ".dist-info"); is {
		name, version, ok = cutLast(stem, "-")
		return name, version, ok
	}
	stem, is := strings.CutSuffix(entry, ".egg-info")
	if !is {
		return "", "", false
	}
	if i := strings.LastIndex(stem, "-py"); i > 0 {
		stem = stem[:i]
	}
	name, version, ok = cutLast(stem, "-")
	if !ok {
		return stem, "", stem != "" // an editable install of old: NAME.egg-info
	}
	return name, version, ok
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i <= 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
