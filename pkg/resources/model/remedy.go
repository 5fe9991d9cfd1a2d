package model

import (
	"path"
	"slices"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Remedy returns how to fix a fault. reconcile deletes nothing, and huggingface_hub does not
// check files in its cache, so a wrong file must be deleted before a download.
func Remedy(m facts.Model, f facts.ModelFault) string {
	link := path.Join(m.Path, "snapshots", m.Revision, f.File)
	blob := path.Join(m.Path, "blobs", f.Blob)
	switch f.What {
	case "missing", "weights", "dangling":
		return again
	case "unfinished":
		return again + "; if the file still exists after that, it is not needed: " + rm(blob)
	case "unreadable":
		return "make it readable for this user: chmod u+r " + resources.ShellQuote(content(f, link, blob))
	case "changed":
		return "wait until nothing writes to it, and verify again"
	case "outside", "odd", "unknown", "blob":
		if f.What == "odd" && f.Blob != "" {
			link = blob
		}
		if f.What == "outside" && slices.Contains([]string{"blobs", "snapshots", "snapshots/" + m.Revision}, f.File) {
			link = path.Join(m.Path, f.File) // a folder of the model, not a file of the snapshot
			return "move it away and download the model again: mv " + resources.ShellJoin(link, link+".old")
		}
		return rm(link) + ", then " + again
	}
	if isVerified(m, f.File) {
		return "the digest is correct, so the revision itself has this fault: pin another one"
	}
	return rm(content(f, link, blob)) + ", then " + again
}

const again = "download the model again, which fetches only missing files"

func rm(name string) string { return "rm " + resources.ShellQuote(name) }

// content returns the path of the content of a file.
func content(f facts.ModelFault, link, blob string) string {
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
