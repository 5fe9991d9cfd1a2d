package facts

import (
	"fmt"
	"slices"
)

// ModelState is how much of a model is there, by names, sizes and headers; what is
// inside the files is another matter, see Model.Verified.
type ModelState string

const (
	ModelAbsent   ModelState = "absent"   // no snapshot of the pinned revision
	ModelPartial  ModelState = "partial"  // files are lacking or still on their way
	ModelDamaged  ModelState = "damaged"  // something there is not what it must be
	ModelComplete ModelState = "complete" // all that is known to belong to it is there
)

// Model is a model in the project's Hugging Face cache, at the revision that the
// manifest pins.
type Model struct {
	Repo     string     `json:"-"`        // "mistralai/Mistral-7B-Instruct-v0.3"
	Revision string     `json:"revision"` // the pinned commit, which was looked for
	Path     string     `json:"path"`     // of its folder in the cache: "models/models--ORG--NAME"
	State    ModelState `json:"state"`
	// Files are those of the snapshot, by name, without the excluded ones.
	Files []ModelFile `json:"files,omitempty"`
	// Listed says that the full list of the revision's files is known, which
	// huggingface_hub writes since 1.22; FilesNeeded counts them, without the excluded
	// ones, and Lacking is the bytes that are not there yet. Without the list both are 0
	// and completeness is judged by the weights' own index and numbering.
	Listed      bool  `json:"listed,omitempty"`
	FilesNeeded int   `json:"files_needed,omitempty"`
	Lacking     int64 `json:"lacking,omitempty"`
	// Weights is the format of the weights that are there: "safetensors", "bin" (pickles of
	// PyTorch), "gguf", "" for none seen. Shards counts the files of weights that are
	// there and sound by their headers, of ShardsNeeded.
	Weights      string `json:"weights,omitempty"`
	Shards       int    `json:"shards,omitempty"`
	ShardsNeeded int    `json:"shards_needed,omitempty"`
	// Unfinished are files of the cache that a download began and did not end.
	Unfinished []ModelUnfinished `json:"unfinished,omitempty"`
	Excluded   int64             `json:"excluded,omitempty"` // bytes of the snapshot that the manifest says nobody needs
	Others     []string          `json:"others,omitempty"`   // other revisions with a snapshot, sorted
	Faults     []ModelFault      `json:"faults,omitempty"`   // what is wrong, by file
	// Verified counts the files whose content was hashed, is what it must be, and was not
	// touched since; VerifiedAt is when the first of them was hashed (RFC 3339).
	Verified   int    `json:"verified,omitempty"`
	VerifiedAt string `json:"verified_at,omitempty"`
}

// ModelFile is one file of a snapshot.
type ModelFile struct {
	Name     string `json:"name"`               // "model-00001-of-00004.safetensors"
	Size     int64  `json:"size"`               // bytes
	Blob     string `json:"blob,omitempty"`     // name of its content in the cache, which is a digest; "" for a real file
	Verified bool   `json:"verified,omitempty"` // hashed, equal, and not touched since
}

// ModelUnfinished is a download that did not end.
type ModelUnfinished struct {
	Name string `json:"name"` // in the folder blobs of the model: "<digest>.incomplete"
	Size int64  `json:"size"` // bytes so far
	// Leftover says that the content is there under its own name too: nothing needs this.
	Leftover bool `json:"leftover,omitempty"`
}

// ModelFault is one thing that is wrong with a model.
type ModelFault struct {
	What   string `json:"what"`             // one of the words of ModelFaults
	File   string `json:"file,omitempty"`   // name in the snapshot; "" for the whole
	Blob   string `json:"blob,omitempty"`   // name in the folder blobs, where it is known
	Detail string `json:"detail,omitempty"` // more of it: sizes, digests
}

// modelFaults says what each word means, and whether it makes a model partial, not
// damaged: what lacks only comes with the next download, what is wrong stays.
var modelFaults = map[string]struct {
	words   string
	partial bool
}{
	"missing":    {"is not there", true},
	"weights":    {"no file of weights is there", true},
	"unfinished": {"a download did not end", true},
	"dangling":   {"is a link to nothing", false},
	"outside":    {"leads out of the cache", false},
	"odd":        {"is neither a file nor a link to one", false},
	"unreadable": {"cannot be read", false},
	"header":     {"does not begin as safetensors do", false},
	"size":       {"has the wrong size", false},
	"index":      {"does not fit the files that it lists", false},
	"blob":       {"leads to another content than the revision has", false},
	"content":    {"has another content than its digest says", false},
	"unknown":    {"has no digest to compare with", false},
	"changed":    {"was written while it was read", false},
}

// ModelFaults returns the words that a fault may have, sorted.
func ModelFaults() []string {
	var list []string
	for word := range modelFaults {
		list = append(list, word)
	}
	slices.Sort(list)
	return list
}

// Partial reports whether the fault is a lack that a download mends, and no damage.
func (f ModelFault) Partial() bool { return modelFaults[f.What].partial }

// Description says what is wrong, in a phrase that goes on from the name of the file.
func (f ModelFault) Description() string {
	words := modelFaults[f.What].words
	if words == "" {
		words = f.What
	}
	if f.Detail != "" {
		words += fmt.Sprintf(" (%s)", f.Detail)
	}
	return words
}

// Size returns the bytes of the files that are there.
func (m Model) Size() int64 {
	var sum int64
	for _, f := range m.Files {
		sum += f.Size
	}
	return sum
}

// IsVerified reports whether every file was hashed and is what it must be.
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

// Key names a model by its repository.
func (m Model) Key() Key { return ModelKey(m.Repo) }
