// Package hub reads a Hugging Face cache and proves what lies in it, without the
// network, without Python and without writing to it.
//
// The layout (huggingface_hub 0.x to 2.x; its documentation "Understand caching", and
// file_download.py, _snapshot_download.py and _tree_cache.py of its source):
//
//	models--ORG--NAME/
//	  blobs/<digest>                      a content: 64 digits are its sha256 (large files), 40 that of git
//	  blobs/<digest>.incomplete           a download that did not end, of hub before 1.18
//	  blobs/<digest>.<8 hex>.incomplete   the same since 1.18
//	  refs/main                           a commit; not written where a commit was asked for
//	  snapshots/<commit>/<file>           a link to ../../blobs/<digest>; a real file where there are no links
//	  trees/<commit>.json                 all files of a commit, since 1.22
//
// Look is the cheap one, for a plan: a few system calls a file, headers of safetensors
// and no more. Verify hashes every content. Both say the same things with the same words
// (facts.ModelFault), so that a damage found by one is not denied by the other.
//
//  1. The snapshot of the pinned revision is listed, and each link followed by hand: it
//     may lead to a blob of the same model and nowhere else.
//  2. What must be there comes from trees/<commit>.json; without it from the weights
//     themselves: their index (model.safetensors.index.json) and the numbers in their
//     names (model-00001-of-00004.safetensors).
//  3. Each safetensors file says by its header how long it is and which tensors it
//     holds; the index must agree. The total_size of an index is not compared: published
//     ones count tied weights twice.
//  4. Digests remembers what was hashed, by device, inode, size and times, with the rule
//     of git for files that changed while they were looked at.
//
// Everything in a cache is foreign: names, links, sizes and JSON are bounded and checked,
// special files are never opened.
package hub

import (
	"path"
	"slices"
	"strings"
)

// A Pin is one model that is wanted: a repository at one commit, without the files
// that patterns exclude.
type Pin struct {
	Repo     string   // "mistralai/Mistral-7B-Instruct-v0.3"
	Revision string   // commit, 40 hexadecimal digits
	Exclude  []string // patterns as huggingface_hub reads them
	// Any says that nobody told which files are needed: what the revision has and the
	// snapshot has not is no lack, unless the weights themselves ask for it.
	AnyFiles bool
}

// Folder returns the name of a model's folder in a cache.
func Folder(repo string) string { return "models--" + strings.ReplaceAll(repo, "/", "--") }

// Repo returns the repository that a folder of a cache is for, or false if it is that of
// no model. Of a name that holds "--" itself the first one is taken for the slash, as
// huggingface_hub does.
func Repo(folder string) (string, bool) {
	name, ok := strings.CutPrefix(folder, "models--")
	if !ok || name == "" {
		return "", false
	}
	return strings.Replace(name, "--", "/", 1), true
}

// excluded reports whether a pattern of the pin matches a file.
func (p *Pin) excluded(name string) bool {
	return slices.ContainsFunc(p.Exclude, func(pattern string) bool { return match(pattern, name) })
}

// match reports whether a pattern matches a name as in Python's fnmatch, which
// huggingface_hub uses: * and ? match a slash too, and a pattern that ends in a slash
// means all below. Sets in brackets are not known here; a manifest cannot hold any.
func match(pattern, name string) bool {
	if strings.HasSuffix(pattern, "/") {
		pattern += "*"
	}
	p, n := []rune(pattern), []rune(name)
	star, from := -1, 0 // the last * and where in the name it ended
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
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// safe reports whether a name from a file of a cache stays inside a snapshot.
func safe(name string) bool {
	return name != "" && name[0] != '/' && path.Clean(name) == name && name != ".." && !strings.HasPrefix(name, "../") && !strings.ContainsRune(name, 0)
}

// IsCommit reports whether s is a revision as the cache and the manifest name it: 40
// hexadecimal digits in lower case.
func IsCommit(s string) bool { return isHex(s, 40) }

func isHex(s string, digits int) bool {
	return len(s) == digits && strings.Trim(s, "0123456789abcdef") == ""
}
