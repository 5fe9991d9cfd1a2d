package nvidia

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Unit is a device as CUDA counts them: a GPU or a MIG slice. A GPU that is divided into
// slices is not a Unit.
type Unit struct {
	Name    string // "NVIDIA GeForce RTX 3090", "NVIDIA H100 80GB HBM3 MIG 3g.40gb"
	Memory  int64  // bytes; 0 if not known
	Compute string // compute capability; "" if not known
	Problem string // why it cannot be used; "" if it can
	Code    int    // NVML return code of Problem, 0 if not known
	Index   int    // of the GPU, in PCI order
	Slice   string // "3g.40gb"; "" for a whole GPU
	// instance identifies the GPU instance of a slice; "" for a whole GPU.
	instance string
}

// NoSlices is the Problem of a GPU that has MIG enabled and no slices.
const NoSlices = "MIG is enabled and has no slices"

// Visible is the set of devices that a program sees.
type Visible struct {
	Units []Unit // in PCI order, or in the order of CUDA_VISIBLE_DEVICES
	All   int    // number of units of the machine
	Named int    // number of units that CUDA_VISIBLE_DEVICES names, or All if it is not set
	// Count is the number of visible units. If it is not known which units are visible,
	// Units holds all units of the machine.
	Count   int
	Setting string // CUDA_VISIBLE_DEVICES="0,1", with the value quoted; "" if not set
	Note    string // why Count is less than Named; "" if it is not
	Invalid string // the error in CUDA_VISIBLE_DEVICES; "" for none
}

// Ambiguous reports whether it is not known which units are visible.
func (v Visible) Ambiguous() bool { return v.Count < len(v.Units) }

// Compute returns the distinct compute capabilities of the usable ones of units, in their order.
func Compute(units []Unit) (list []string) {
	for _, u := range units {
		if u.Problem == "" && u.Compute != "" && !slices.Contains(list, u.Compute) {
			list = append(list, u.Compute)
		}
	}
	return list
}

// VisibleUnits returns the devices that one program sees. CUDA obeys
// CUDA_VISIBLE_DEVICES up to the first entry that names no device; if an entry repeats a
// device, none is visible. Indexes follow CUDA's order, fastest first, unless
// CUDA_DEVICE_ORDER=PCI_BUS_ID.
func VisibleUnits(n facts.Nvidia) Visible {
	var all []Unit
	for _, d := range n.Devices {
		all = append(all, units(d)...)
	}
	v := Visible{All: len(all)}
	named, byIndex := all, false
	if n.Visible != nil {
		v.Setting = "CUDA_VISIBLE_DEVICES=" + strconv.Quote(*n.Visible)
		named, byIndex, v.Invalid = parseVisible(n)
	}
	v.Named = len(named)
	v.Units, v.Note = enumerated(named, n)
	v.Count = len(v.Units)
	if byIndex && n.VisibleOrder != "PCI_BUS_ID" && v.Named < len(all) && !identical(n.Devices) {
		v.Units = all
	}
	return v
}

// manySlices is the first driver with which a program sees more than one slice.
const manySlices = "570"

// enumerated returns the units that one program sees, and a note if some are hidden.
// See NVIDIA's MIG guide, "CUDA Device Enumeration": before driver 570 a program sees only
// the first slice, and since then one slice of each GPU instance and all whole GPUs.
func enumerated(named []Unit, n facts.Nvidia) (visible []Unit, note string) {
	first := slices.IndexFunc(named, func(u Unit) bool { return u.instance != "" })
	if first < 0 || len(named) == 1 {
		return named, ""
	}
	if order, ok := catalog.Compare(cmp.Or(n.Driver, n.Kernel), manySlices); !ok || order < 0 {
		return named[first : first+1], "before driver " + manySlices + " a program sees one MIG slice and no other GPU"
	}
	taken := make(map[string]bool)
	for _, u := range named {
		if !taken[u.instance] {
			visible = append(visible, u)
		}
		taken[u.instance] = u.instance != ""
	}
	if len(visible) < len(named) {
		note = "a program sees one slice of each MIG GPU instance"
	}
	return visible, note
}

// units returns the units of a device. A GPU with MIG enabled and no slices is one unit
// with the Problem NoSlices.
func units(d facts.Device) []Unit {
	whole := Unit{Name: cmp.Or(d.Name, "GPU "+strconv.Itoa(d.Index)), Index: d.Index, Memory: d.Memory, Compute: d.Compute, Problem: d.Problem, Code: d.Code}
	if !usesSlices(d) {
		return []Unit{whole}
	}
	var list []Unit
	for i, s := range d.Slices {
		list = append(list, Unit{
			Name: whole.Name + " MIG " + s.Name, Index: d.Index, Slice: s.Name, Memory: s.Memory, Compute: whole.Compute,
			instance: fmt.Sprintf("%d %s", d.Index, instance(s.Name, i)),
		})
	}
	if len(list) == 0 {
		whole.Problem = NoSlices
		list = append(list, whole)
	}
	return list
}

func usesSlices(d facts.Device) bool { return d.MIG == "enabled" && d.Problem == "" }

// instance identifies the GPU instance of slice i of a GPU. "3g.40gb" is an instance of
// its own. "1c.3g.40gb" is part of a shared instance; slices of the same profile are
// counted as one instance, the minimum.
func instance(slice string, i int) string {
	if part, profile, ok := strings.Cut(slice, "c."); ok && strings.Contains(profile, "g.") && !strings.Contains(part, "g") {
		return profile
	}
	return strconv.Itoa(i)
}

// parseVisible returns the units that CUDA_VISIBLE_DEVICES names and whether an entry is
// an index. As NVIDIA documents, the first entry that names no device ends the list. That
// a repeated device hides all is not documented, but torch does the same.
func parseVisible(n facts.Nvidia) (named []Unit, byIndex bool, invalid string) {
	seen := make(map[string]bool)
	for text := range strings.SplitSeq(*n.Visible, ",") {
		text = strings.TrimSpace(text)
		found, id, isIndex := resolve(n.Devices, text)
		switch {
		case id == "" && (text == "" || text == "-1" || text == "NoDevFiles"): // documented ways to hide the rest
			return named, byIndex, ""
		case id == "":
			return named, byIndex, fmt.Sprintf("there is no GPU %q, and CUDA ignores the rest", text)
		case seen[id]:
			return nil, false, fmt.Sprintf("%q repeats a GPU, and CUDA then shows none", text)
		}
		seen[id] = true
		named, byIndex = append(named, found...), byIndex || isIndex
	}
	return named, byIndex, ""
}

// resolve returns the units that an entry names: an index, a UUID or the beginning of one.
// id identifies the device however it is spelled; "" if there is none or more than one.
func resolve(devices []facts.Device, text string) (found []Unit, id string, isIndex bool) {
	if i, err := strconv.Atoi(text); err == nil {
		if i < 0 || i >= len(devices) {
			return nil, "", false
		}
		return units(devices[i]), "gpu " + strconv.Itoa(i), true
	}
	if !strings.HasPrefix(text, "GPU-") && !strings.HasPrefix(text, "MIG-") {
		return nil, "", false
	}
	matches := 0
	for i, d := range devices {
		if strings.HasPrefix(d.UUID, text) {
			found, id = units(d), "gpu "+strconv.Itoa(i)
			matches++
		}
		for j, s := range d.Slices {
			if strings.HasPrefix(s.UUID, text) && usesSlices(d) {
				found, id = units(d)[j:j+1], fmt.Sprintf("slice %d %d", i, j)
				matches++
			}
		}
	}
	if matches != 1 {
		return nil, "", false
	}
	return found, id, false
}

// identical reports whether the devices are interchangeable.
func identical(devices []facts.Device) bool {
	for _, d := range devices {
		if d.Name != devices[0].Name || d.Memory != devices[0].Memory || d.MIG != devices[0].MIG || d.Problem != devices[0].Problem || len(d.Slices) != 0 {
			return false
		}
	}
	return true
}
