package hub

import (
	"encoding/json"
	"fmt"
	"slices"
)

// treeVersion is the supported format of trees/<commit>.json. Like huggingface_hub, hub
// ignores other formats.
const treeVersion = 1

// A treeFile is one file of a revision.
type treeFile struct {
	Size    int64  `json:"size"`
	BlobID  string `json:"blob_id"`
	SHA256  string `json:"lfs_sha256"`
	LFSSize int64  `json:"lfs_size"`
}

// parseTree parses the list of a revision's files. It returns nil for anything else:
// huggingface_hub treats the file as a cache that may be lost.
func parseTree(b []byte) map[string]treeFile {
	var doc struct {
		Version int                 `json:"format_version"`
		Files   map[string]treeFile `json:"files"`
	}
	if json.Unmarshal(b, &doc) != nil || doc.Version != treeVersion || len(doc.Files) > maxFiles {
		return nil
	}
	for name, f := range doc.Files {
		if digest, size := f.content(); !isSafe(name) || size < 0 || digest == (Digest{}) {
			return nil
		}
	}
	return doc.Files
}

// content returns the digest and the size of the content, a zero digest if there is none.
func (f treeFile) content() (Digest, int64) {
	if f.SHA256 != "" {
		return blobDigest(f.SHA256), f.LFSSize
	}
	return blobDigest(f.BlobID), f.Size
}

// compareTree compares the snapshot with the list of the revision's files.
func (s *snapshot) compareTree() {
	for i := range s.files {
		f := &s.files[i]
		listed, ok := s.tree[f.name]
		if !ok || f.broken {
			continue
		}
		f.broken = true
		switch want, size := listed.content(); {
		case f.blob != "" && f.blob != want.Hex:
			s.fault("blob", f.name, f.blob, want.Hex+" by the list of the revision")
		case f.id.size != size:
			s.fault("size", f.name, f.blob, fmt.Sprintf("%d bytes, %d by the list of the revision", f.id.size, size))
		default:
			f.want, f.broken = want, false
		}
	}
	for _, name := range s.needed() {
		if s.find(name) == nil {
			digest, _ := s.tree[name].content()
			s.fault("missing", name, digest.Hex, "")
		}
	}
}

// listed reports whether the required files are those of the list of the revision.
func (s *snapshot) listed() bool { return s.tree != nil && !s.pin.AnyFiles }

// needed returns the required files of the revision, sorted.
func (s *snapshot) needed() []string {
	var names []string
	for name := range s.tree {
		if s.listed() && !s.pin.excluded(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
