package planfile

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// digits is the number of digits of a digest that a description contains.
const digits = 12

// Describe describes a fact in a few words, so that people can recognize a change.
func Describe(f facts.Fact) string {
	switch f := f.(type) {
	case facts.Path:
		return describePath(f)
	case facts.Folder:
		return "with " + plural.Count(f.Entries, "name")
	case facts.Tree:
		text := fmt.Sprintf("%s in %s", bytesize.Format(f.Bytes), plural.Count(int(f.Entries), "file"))
		if len(f.Users) > 0 {
			text += ", used by " + strings.Join(f.Users, ", ")
		}
		return text
	case facts.Disk:
		text := bytesize.Format(f.Free) + " free"
		if f.ReadOnly {
			text += ", read-only"
		}
		return text
	case facts.Pythons:
		if i, ok := f.Usable(); ok {
			return i.Version + " at " + i.Path
		}
		return "none usable"
	case facts.Tool:
		switch {
		case f.Path == "":
			return "not found"
		case f.Refused != "":
			return fmt.Sprintf("refused: %s (%s)", f.Path, f.Refused)
		}
		return strings.TrimSpace(f.Version + " at " + f.Path)
	case facts.Environment:
		return describeEnvironment(f)
	case facts.Model:
		return fmt.Sprintf("revision %s, %s, %s", f.Revision, f.State, plural.Count(len(f.Files), "file"))
	case facts.Project:
		return f.State
	case facts.Host:
		return strings.TrimSpace(f.Platform + " " + f.OSVersion)
	case facts.GPU:
		return strings.TrimSpace(f.Vendor + " " + cmp.Or(f.Driver, f.Models))
	case facts.Nvidia:
		text := string(f.State)
		if f.Driver != "" {
			text += ", driver " + f.Driver
		}
		return text + ", " + plural.Count(len(f.Devices), "GPU")
	case facts.Toolkit:
		return cmp.Or(f.Version, "none")
	case facts.Index:
		return f.URL
	}
	return ""
}

func describePath(p facts.Path) string {
	switch {
	case p.Parent != "":
		return "behind the " + p.Parent
	case p.Type == facts.Absent:
		return "absent"
	}
	text := resources.DescribePath(p)
	if p.Type == facts.Regular || p.Type == facts.Dir {
		text += ", mode " + p.Mode.String()
	}
	if p.Type == facts.Regular && !p.SHA256.IsZero() {
		text += ", sha256 " + p.SHA256.String()[:digits]
	}
	return text
}

func describeEnvironment(e facts.Environment) string {
	switch {
	case e.Foreign != "":
		return "behind " + e.Foreign
	case e.Current == "" && len(e.Generations) == 0:
		return "not built"
	}
	text := "generation " + e.Current
	if e.Current == "" {
		text = "no active generation"
	}
	text += fmt.Sprintf(" of %d", len(e.Generations))
	if g, ok := e.CurrentGeneration(); ok && len(g.Damage) > 0 {
		text += ", damaged in " + plural.Count(len(g.Damage), "place")
	}
	if e.Entry != "" {
		text += ", " + e.Entry
	}
	return text
}

// label names the object of a key.
func label(k facts.Key) string {
	switch k.Kind {
	case facts.KindPath:
		return k.Name
	case facts.KindFolder, facts.KindTree:
		return "the folder " + k.Name
	case facts.KindDisk:
		if k.Name == "." {
			return "the disk of this project"
		}
		return k.Name
	case facts.KindPython:
		return "Python " + k.Name
	case facts.KindTool:
		return "the program " + k.Name
	case facts.KindEnvironment:
		return "environment " + k.Name
	case facts.KindModel:
		return "model " + k.Name
	case facts.KindIndex:
		return "the package index"
	case facts.KindNvidia, facts.KindGPU:
		return "the GPU"
	case facts.KindToolkit:
		return "the CUDA toolkit"
	}
	return "this " + string(k.Kind)
}

// assumed describes a fact that changed.
func assumed(k facts.Key, was, now string) string {
	if k.Kind == facts.KindDisk {
		return fmt.Sprintf("assumed %s on %s, now %s", was, label(k), strings.TrimSuffix(now, " free"))
	}
	if was == now {
		return fmt.Sprintf("assumed that %s is unchanged (%s), but it differs in details", label(k), was)
	}
	return fmt.Sprintf("assumed that %s is %s, now %s", label(k), was, now)
}
