package model

import (
	"path"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Remedy says what mends a fault. Nothing is deleted by reconcile: huggingface_hub takes
// whatever stands in its cache for good, so that a wrong file has to go before a download
// brings it again.
func Remedy(m facts.Model, f facts.ModelFault) string {
	link := path.Join(m.Path, "snapshots", m.Revision, f.File)
	blob := path.Join(m.Path, "blobs", f.Blob)
	switch f.What {
	case "missing", "weights", "dangling":
		return again
	case "unfinished":
		return again + "; if that ends and this file stays, nothing needs it: " + rm(blob)
	case "unreadable":
		return "make it readable for this user: chmod u+r " + resources.ShellQuote(place(f, link, blob))
	case "changed":
		return "wait until nothing writes to it, and verify again"
	case "outside", "odd", "unknown", "blob":
		if f.What == "odd" && f.Blob != "" {
			link = blob
		}
		if f.What == "outside" && slices.Contains([]string{"blobs", "snapshots", "snapshots/" + m.Revision}, f.File) {
			link = path.Join(m.Path, f.File) // a folder of the model, not a file of the snapshot
			return "move it away and download the model again: mv " + resources.ShellQuote(link) + " " + resources.ShellQuote(link+".old")
		}
		return rm(link) + ", then " + again
	}
	if isVerified(m, f.File) {
		return "the revision itself is so, since its digest holds: pin another one"
	}
	return rm(place(f, link, blob)) + ", then " + again
}

// again is what brings files that are not there, and no others.
const again = "download the model again, which fetches only what is not there"

func rm(name string) string { return "rm " + resources.ShellQuote(name) }

// place is where the content of a file lies.
func place(f facts.ModelFault, link, blob string) string {
	if f.Blob == "" {
		return link
	}
	return blob
}

func isVerified(m facts.Model, name string) bool {
	for _, f := range m.Files {
		if f.Name == name {
			return f.Verified
		}
	}
	return false
}
