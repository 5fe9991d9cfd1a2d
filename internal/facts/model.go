package facts

import (
	"cmp"
	"maps"
	"slices"
	"sync"
)

// ModelState tells how complete a model is, judged by names, sizes and headers. For
// verified contents see Model.Verified.
type ModelState string

const (
	ModelAbsent   ModelState = "absent"   // no snapshot of the pinned revision
	ModelPartial  ModelState = "partial"  // files are missing or still being downloaded
	ModelDamaged  ModelState = "damaged"  // a file is invalid
	ModelComplete ModelState = "complete" // every known file is present
)

// Model is a model in the project's Hugging Face cache, at the revision that the
// manifest pins.
type Model struct {
	Repo     string     `json:"-"`        // "mistralai/Mistral-7B-Instruct-v0.3"
	Revision string     `json:"revision"` // the pinned commit
	Path     string     `json:"path"`     // of its folder in the cache: "models/models--ORG--NAME"
	State    ModelState `json:"state"`
	// Files are the files of the snapshot, by name, without the excluded ones.
	Files []ModelFile `json:"files,omitempty"`
	// Listed reports whether the full file list of the revision is known, which
	// huggingface_hub writes since 1.22. FilesNeeded counts it without the excluded
	// files, and Lacking is the bytes still to download. Without the list both are 0
	// and completeness is judged by the index and the numbering of the weights.
	Listed      bool  `json:"listed,omitempty"`
	FilesNeeded int   `json:"files_needed,omitempty"`
	Lacking     int64 `json:"lacking,omitempty"`
	// Weights is the format of the weights that were found: "safetensors", "bin" (PyTorch
	// pickles), "gguf" or "". Shards counts the weight files with a valid header, of
	// ShardsNeeded.
	Weights      string `json:"weights,omitempty"`
	Shards       int    `json:"shards,omitempty"`
	ShardsNeeded int    `json:"shards_needed,omitempty"`
	// Unfinished are the files of incomplete downloads.
	Unfinished []ModelUnfinished `json:"unfinished,omitempty"`
	Excluded   int64             `json:"excluded,omitempty"` // bytes of the snapshot that the manifest excludes
	Others     []string          `json:"others,omitempty"`   // other revisions with a snapshot, sorted
	Faults     []ModelFault      `json:"faults,omitempty"`   // by file
	// Verified counts the files whose hashed content matched and that were not modified
	// since. VerifiedAt is the time of the oldest hash (RFC 3339).
	Verified   int    `json:"verified,omitempty"`
	VerifiedAt string `json:"verified_at,omitempty"`
}

// ModelFile is one file of a snapshot.
type ModelFile struct {
	Name     string `json:"name"`               // "model-00001-of-00004.safetensors"
	Size     int64  `json:"size"`               // bytes
	Blob     string `json:"blob,omitempty"`     // name of its content in the cache, which is a digest; "" for a real file
	Verified bool   `json:"verified,omitempty"` // the hashed content matched, and the file was not modified since
}

// ModelUnfinished is an incomplete download.
type ModelUnfinished struct {
	Name string `json:"name"` // in the folder blobs of the model: "<digest>.incomplete"
	Size int64  `json:"size"` // bytes so far
	// Leftover reports whether the complete content exists too, so that this file can be
	// deleted.
	Leftover bool `json:"leftover,omitempty"`
}

// ModelFault is one defect of a model.
type ModelFault struct {
	What   string `json:"what"`             // one of the words of ModelFaults
	File   string `json:"file,omitempty"`   // name in the snapshot; "" for the whole model
	Blob   string `json:"blob,omitempty"`   // name in the folder blobs, if known
	Detail string `json:"detail,omitempty"` // sizes, digests
}

type faultKind struct {
	description string // follows the name of the file
	partial     bool   // makes a model partial: the next download completes it
}

var faultKinds = sync.OnceValue(func() map[string]faultKind {
	return map[string]faultKind{
		"missing":    {"is missing", true},
		"weights":    {"no weight file was found", true},
		"unfinished": {"a download is incomplete", true},
		"dangling":   {"is a dangling link", false},
		"outside":    {"points outside the cache", false},
		"odd":        {"is neither a file nor a link to a file", false},
		"unreadable": {"cannot be read", false},
		"header":     {"has no valid safetensors header", false},
		"size":       {"has the wrong size", false},
		"index":      {"does not match the files that it lists", false},
		"blob":       {"points to a blob of another revision", false},
		"content":    {"does not match its digest", false},
		"unknown":    {"has no digest to compare with", false},
		"changed":    {"was modified while it was read", false},
	}
})

// ModelFaults returns the values of ModelFault.What, sorted.
func ModelFaults() []string { return slices.Sorted(maps.Keys(faultKinds())) }

// Partial reports whether another download repairs the fault. If not, it is damage.
func (f ModelFault) Partial() bool { return faultKinds()[f.What].partial }

// Description returns a phrase that follows the name of the file.
func (f ModelFault) Description() string {
	text := cmp.Or(faultKinds()[f.What].description, f.What)
	if f.Detail != "" {
		text += " (" + f.Detail + ")"
	}
	return text
}

// Size returns the sum of the file sizes in bytes.
func (m Model) Size() int64 {
	var sum int64
	for _, f := range m.Files {
		sum += f.Size
	}
	return sum
}

// IsVerified reports whether the model is complete and every file is verified.
func (m Model) IsVerified() bool {
	return m.State == ModelComplete && len(m.Files) > 0 && m.Verified == len(m.Files)
}

// Damage returns the first fault that is damage, or false if there is none.
func (m Model) Damage() (ModelFault, bool) {
	for _, f := range m.Faults {
		if !f.Partial() {
			return f, true
		}
	}
	return ModelFault{}, false
}

// Key returns ModelKey(m.Repo).
func (m Model) Key() Key { return ModelKey(m.Repo) }
