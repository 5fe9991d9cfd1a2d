package python

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Build is a relocatable interpreter that can be fetched: an archive (tar.gz)
// with one top folder that holds bin/python3.10.
type Build struct {
	Version  string       `json:"version"`  // "3.10.21"
	Platform string       `json:"platform"` // "linux-x86_64"; on Linux it needs glibc
	URLs     []string     `json:"urls"`
	SHA256   facts.SHA256 `json:"sha256"`
	Size     int64        `json:"size,omitempty"`     // bytes of the archive; 0 if not known
	Unpacked int64        `json:"unpacked,omitempty"` // bytes on disk; 0 if not known
}

//go:embed builds.json
var buildsJSON []byte

// DefaultBuilds returns the builds that this version of reconcile pins, one a
// platform, most wanted first. builds.json names their source.
func DefaultBuilds() []Build {
	var doc struct {
		Format int     `json:"format"`
		Source string  `json:"source"`
		Builds []Build `json:"builds"`
	}
	if err := json.Unmarshal(buildsJSON, &doc); err != nil || doc.Format != 1 {
		panic(fmt.Sprintf("builds.json, which is part of this program: format %d: %v", doc.Format, err))
	}
	return doc.Builds
}
