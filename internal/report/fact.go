package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// FactText describes a fact in one phrase: "a file of 120 B, mode 0644".
func FactText(fact facts.Fact) string {
	switch is := fact.(type) {
	case facts.Path:
		return pathText(is)
	case facts.Folder:
		return plural.Count(is.Entries, "name") + listed(is.Names, 5)
	case facts.Tree:
		return plural.Count(int(is.Entries), "file") + " and folders in it, " + bytesize.Format(is.Bytes) + listed(is.Users, 5)
	case facts.Disk:
		return fmt.Sprintf("%s free of %s (%s)", bytesize.Format(is.Free), bytesize.Format(is.Total), is.FileSystem) + when(is.ReadOnly, ", read-only")
	case facts.Project:
		return is.Root + ", with " + is.State + " for this machine"
	case facts.Host:
		return strings.TrimSpace(is.Hostname + ", " + is.Platform + " " + is.OSVersion)
	case facts.GPU:
		return gpuText(is)
	case facts.Nvidia:
		return nvidiaText(is)
	case facts.Pythons:
		return pythonsText(is)
	case facts.Tool:
		if is.Path == "" {
			return "none" + when(is.Refused != "", " usable: "+is.Refused)
		}
		return strings.Join(strings.Fields(is.Path+" "+is.Version), ", ")
	case facts.Environment:
		return environmentText(is)
	case facts.Model:
		return fmt.Sprintf("%s: %s in %s", is.State, plural.Count(len(is.Files), "file"), is.Path) + when(is.Lacking > 0, ", "+bytesize.Format(is.Lacking)+" missing")
	case facts.Index:
		return is.URL
	}
	text, err := json.Marshal(fact)
	if err != nil {
		return "known"
	}
	return string(text)
}

// when returns text if ok is true, else "".
func when(ok bool, text string) string {
	if !ok {
		return ""
	}
	return text
}

// listed returns ": a, b, c", with at most that many names.
func listed(names []string, most int) string {
	if len(names) == 0 {
		return ""
	}
	text := ": " + strings.Join(names[:min(most, len(names))], ", ")
	return text + when(len(names) > most, fmt.Sprintf(" and %d more", len(names)-most))
}

func pathText(p facts.Path) string {
	if p.Parent != "" {
		return "not reached: " + p.Parent + " is on the path"
	}
	text := resources.DescribePath(p)
	if p.Type == facts.Regular || p.Type == facts.Dir {
		text += ", mode " + p.Mode.String()
	}
	if !p.SHA256.IsZero() {
		text += ", sha256 " + p.SHA256.String()[:12]
	}
	return text
}

func nvidiaText(n facts.Nvidia) string {
	switch n.State {
	case facts.NoDriver:
		return "no NVIDIA driver"
	case facts.DriverBroken:
		return "the driver does not answer: " + n.Reason
	}
	text := fmt.Sprintf("driver %s, CUDA %s", n.Driver, cmp.Or(n.CUDA, "not known: "+n.CUDAReason))
	for _, d := range n.Devices {
		text += ", " + d.Name + when(d.Memory > 0, fmt.Sprintf(" (%d MiB)", d.Memory>>20))
	}
	return text
}

func pythonsText(p facts.Pythons) string {
	if i, ok := p.Usable(); ok {
		return fmt.Sprintf("%s, %s of %s", i.Path, i.Version, i.Source)
	}
	if len(p.Found) > 0 {
		return p.Found[0].Path + " cannot be used: " + p.Found[0].Refused
	}
	return "none found"
}

func environmentText(e facts.Environment) string {
	current, ok := e.CurrentGeneration()
	switch {
	case e.Foreign != "":
		return e.Path + " is " + e.Foreign
	case e.Current == "":
		return e.Path + " has no active generation" + when(len(e.Generations) > 0, "; "+plural.Count(len(e.Generations), "generation")+" built")
	case !ok:
		return e.Path + " is generation " + e.Current + ", which is not sealed"
	}
	text := fmt.Sprintf("%s is generation %s: %s, Python %s", e.Path, e.Current, plural.Count(len(current.Packages)+len(current.Conda), "package"), current.Python)
	text += when(len(current.Damage) > 0, ", damaged in "+plural.Count(len(current.Damage), "place"))
	return text + when(e.Entry != "", "; "+e.Entry)
}
