// Package hub reads a Hugging Face cache and verifies the models in it, without network,
// without Python and without writing to the cache.
//
// The layout (huggingface_hub 0.x to 2.x; "Understand caching" in its documentation, and
// file_download.py, _snapshot_download.py and _tree_cache.py in its source):
//
//	models--ORG--NAME/
//	  blobs/<digest>                      content: 64 digits are its sha256 (large files), 40 its git blob id
//	  blobs/<digest>.incomplete           an unfinished download, before 1.18
//	  blobs/<digest>.<8 hex>.incomplete   the same, since 1.18
//	  refs/main                           a commit; not written if a commit was requested
//	  snapshots/<commit>/<file>           a link to ../../blobs/<digest>, or a regular file without links
//	  trees/<commit>.json                 all files of a commit, since 1.22
//	blobs/<2 hex>/<64 hex>                content that models share, since 1.32 (_shared_blobs.py): blobs/<digest> of
//	                                      a model is a link to it. The 64 digits are the hash of Xet, not the sha256
//
// Observe is the cheap check, for a plan: names, sizes and safetensors headers. Verify
// hashes every file. Both report the same faults (facts.ModelFault).
//
//  1. The snapshot of the pinned revision is listed. A link must lead to a blob of the
//     same model, and a blob that is a link to the store that models share.
//  2. The required files come from trees/<commit>.json; without it, from the weights:
//     their index (model.safetensors.index.json) and the numbers in their names
//     (model-00001-of-00004.safetensors).
//  3. The header of each safetensors file must match its size and the index. The
//     total_size of an index is not compared: published ones count tied weights twice.
//  4. Digests caches digests by device, inode, size and times, with git's rule for files
//     that change while they are read.
//
// Everything in a cache is untrusted: names, links, sizes and JSON are bounded and
// checked, and special files are never opened.
package hub

import (
	"path"
	"slices"
	"strings"
)

// A Pin is a model at one commit, without the files that Exclude matches.
type Pin struct {
	Repo     string   // "mistralai/Mistral-7B-Instruct-v0.3"
	Revision string   // commit, 40 hexadecimal digits
	Exclude  []string // patterns as in huggingface_hub
	// AnyFiles means that the required files are unknown: files of the revision may be
	// missing unless the weights themselves need them.
	AnyFiles bool
}

// Folder returns the name of a model's folder in a cache.
func Folder(repo string) string { return "models--" + strings.ReplaceAll(repo, "/", "--") }

// Repo returns the repository of a folder in a cache, or false if the folder does not
// belong to a model. The first "--" is read as the slash, as in huggingface_hub.
func Repo(folder string) (string, bool) {
	name, ok := strings.CutPrefix(folder, "models--")
	return strings.Replace(name, "--", "/", 1), ok && name != ""
}

// excluded reports whether a pattern of the pin matches a file.
func (p *Pin) excluded(name string) bool {
	return slices.ContainsFunc(p.Exclude, func(pattern string) bool { return match(pattern, name) })
}

// match reports whether a pattern matches a name as in Python's fnmatch, which
// huggingface_hub uses: * and ? also match a slash, and a pattern that ends in a slash
// matches everything below it. Bracket sets are not supported; a manifest refuses them.
func match(pattern, name string) bool {
	if strings.HasSuffix(pattern, "/") {
		pattern += "*"
	}
	p, n := []rune(pattern), []rune(name)
	star, from := -1, 0 // the last *, and the position in the name where its match ends
	i, k := 0, 0
	for k < len(n) {
		switch {
		case i < len(p) && p[i] == '*':
			star, from = i, k
			i++
		case i < len(p) && (p[i] == '?' || p[i] == n[k]):
			i++
			k++
		case star >= 0:
			from++
			i, k = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(string(p[i:]), "*") == ""
}

// isSafe reports whether a name from a file in the cache stays inside a snapshot.
func isSafe(name string) bool {
	return name != "" && name[0] != '/' && path.Clean(name) == name && name != ".." && !strings.HasPrefix(name, "../") && !strings.ContainsRune(name, 0)
}

// IsCommit reports whether s is a commit: 40 hexadecimal digits in lower case.
func IsCommit(s string) bool { return isHex(s, 40) }

func isHex(s string, digits int) bool {
	return len(s) == digits && strings.Trim(s, "0123456789abcdef") == ""
}
