package hub

import (
	"encoding/json"
	"fmt"
	"slices"
)

// treeVersion is the format of trees/<commit>.json that is known; another is left
// alone, as huggingface_hub does.
const treeVersion = 1

// A treeFile is what a revision has at one name.
type treeFile struct {
	Size    int64  `json:"size"`
	BlobID  string `json:"blob_id"`
	SHA256  string `json:"lfs_sha256"`
	LFSSize int64  `json:"lfs_size"`
}

// parseTree reads the list of a revision's files. What is not such a list is nil: it
// is a copy that huggingface_hub made for itself and throws away as easily.
func parseTree(b []byte) map[string]treeFile {
	var doc struct {
		Version int                 `json:"format_version"`
		Files   map[string]treeFile `json:"files"`
	}
	if json.Unmarshal(b, &doc) != nil || doc.Version != treeVersion || len(doc.Files) > maxFiles {
		return nil
	}
	for name, f := range doc.Files {
		if !safe(name) || f.Size < 0 || f.LFSSize < 0 || f.digest() == (Digest{}) {
			return nil
		}
	}
	return doc.Files
}

// digest is that of the content, the zero value if none is stated.
func (f treeFile) digest() Digest {
	if f.SHA256 != "" {
		return blobDigest(f.SHA256)
	}
	return blobDigest(f.BlobID)
}

// bytes is the size of the content.
func (f treeFile) bytes() int64 {
	if f.SHA256 != "" {
		return f.LFSSize
	}
	return f.Size
}

// compareTree compares the snapshot with the list of the revision's files.
func (s *snapshot) compareTree() {
	if s.tree == nil {
		return
	}
	for i := range s.files {
		f := &s.files[i]
		listed, ok := s.tree[f.name]
		if !ok || f.broken {
			continue
		}
		switch want := listed.digest(); {
		case f.blob != "" && f.blob != want.Hex:
			s.fault("blob", f.name, f.blob, want.Hex+" by the list of the revision")
			f.broken = true
		case f.id.size != listed.bytes():
			s.fault("size", f.name, f.blob, fmt.Sprintf("%d bytes, %d by the list of the revision", f.id.size, listed.bytes()))
			f.broken = true
		default:
			f.want = want
		}
	}
	for _, name := range s.needed() {
		if s.find(name) == nil {
			s.fault("missing", name, s.tree[name].digest().Hex, "")
		}
	}
}

// listed reports whether the list of the revision says what must be there.
func (s *snapshot) listed() bool { return s.tree != nil && !s.pin.AnyFiles }

// needed lists the files of the revision that must be there, sorted.
func (s *snapshot) needed() []string {
	if !s.listed() {
		return nil
	}
	var names []string
	for name := range s.tree {
		if !s.pin.excluded(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
