package nvidia

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/facts"
)

// A Unit is what CUDA counts as one device: a GPU, or a MIG slice of one. The whole
// that is cut into slices is none.
type Unit struct {
	Name    string // "NVIDIA GeForce RTX 3090", "NVIDIA H100 80GB HBM3 MIG 3g.40gb"
	Memory  int64  // bytes; 0 if not known
	Compute string // compute capability; "" if not known
	Problem string // why it cannot be used; "" if it can
	Code    int    // what NVML returned with Problem, 0 if that is not known
	Index   int    // of the GPU, in the order of the PCI bus
	Slice   string // "3g.40gb"; "" for a whole
	// instance names the GPU instance that a slice is of, "" for a whole.
	instance string
}

// NoSlices is the Problem of a GPU that MIG cuts, and that is not cut yet.
const NoSlices = "MIG is enabled and no slice is made"

// Visible is what a program will see.
type Visible struct {
	Units []Unit // in the order of the PCI bus, or of CUDA_VISIBLE_DEVICES
	All   int    // how many units the machine has
	Named int    // how many of them CUDA_VISIBLE_DEVICES names; all of them if it is not set
	// Count is how many of Units are visible: all of them, unless it is not known
	// which. Then Units are those of the whole machine.
	Count int
	// Setting is such as CUDA_VISIBLE_DEVICES="0,1", with the value quoted; "" if it
	// is not set.
	Setting string
	Note    string // why fewer are visible than are named; "" if all are
	Invalid string // what CUDA stumbles over in CUDA_VISIBLE_DEVICES; "" for nothing
}

// Ambiguous reports that some of the units are visible and that it is not known which.
func (v Visible) Ambiguous() bool { return v.Count < len(v.Units) }

// VisibleUnits returns what a program will see of the driver's devices. CUDA obeys
// CUDA_VISIBLE_DEVICES, and reads it up to the first entry that names no device; if
// it names one twice, none is visible.
// An index counts in CUDA's own order, the fastest first, which only
// CUDA_DEVICE_ORDER=PCI_BUS_ID makes that of the driver. Not all slices that are
// left are seen by one program; see enumerated.
func VisibleUnits(n facts.Nvidia) Visible {
	all := everything(n.Devices)
	v := Visible{All: len(all)}
	named, byIndex := all, false
	if n.Visible != nil {
		v.Setting = "CUDA_VISIBLE_DEVICES=" + strconv.Quote(*n.Visible)
		named = nil
		var list []entry
		list, v.Invalid = entries(n)
		for _, entry := range list {
			named = append(named, entry.units...)
			byIndex = byIndex || entry.index
		}
	}
	v.Named = len(named)
	v.Units, v.Note = enumerated(named, n)
	v.Count = len(v.Units)
	if byIndex && n.VisibleOrder != "PCI_BUS_ID" && v.Named < len(all) && !alike(n.Devices) {
		v.Units = all
	}
	return v
}

// everything lists what the devices count as.
func everything(devices []facts.Device) (all []Unit) {
	for _, d := range devices {
		all = append(all, units(d)...)
	}
	return all
}

// manySlices is the first driver with which a program sees more than one slice.
const manySlices = "570"

// enumerated leaves what one program sees of units, and says why if that is less.
// NVIDIA's guide to MIG, "CUDA Device Enumeration": before driver 570 a program sees
// one slice, the first, and no whole GPU beside it; since then, one slice of each
// GPU instance, and whole GPUs.
func enumerated(named []Unit, n facts.Nvidia) (seen []Unit, note string) {
	first := slices.IndexFunc(named, func(u Unit) bool { return u.instance != "" })
	if first < 0 || len(named) == 1 {
		return named, ""
	}
	if order, ok := Compare(cmp.Or(n.Driver, n.Kernel), manySlices); !ok || order < 0 {
		return named[first : first+1], "before driver " + manySlices + " a program sees one slice of MIG, and no whole GPU beside it"
	}
	taken := make(map[string]bool)
	for _, u := range named {
		if !taken[u.instance] {
			seen = append(seen, u)
		}
		taken[u.instance] = u.instance != ""
	}
	if len(seen) < len(named) {
		note = "a program sees one slice of each GPU instance of MIG"
	}
	return seen, note
}

// units are what a device counts as. One that is cut and has no slices is still
// listed, with the reason why it is of no use.
func units(d facts.Device) []Unit {
	whole := Unit{Name: d.Name, Index: d.Index, Memory: d.Memory, Compute: d.Compute, Problem: d.Problem, Code: d.Code}
	if whole.Name == "" {
		whole.Name = "GPU " + strconv.Itoa(d.Index)
	}
	if d.MIG != "enabled" || d.Problem != "" {
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

// instance names the GPU instance of a slice, the i-th of a GPU. "3g.40gb" is one of
// its own. "1c.3g.40gb" shares one, and it is not known with which others of that
// profile: they count as one instance, which is the least that there is.
func instance(slice string, i int) string {
	if part, profile, ok := strings.Cut(slice, "c."); ok && strings.Contains(profile, "g.") && !strings.Contains(part, "g") {
		return profile
	}
	return strconv.Itoa(i)
}

// An entry of CUDA_VISIBLE_DEVICES, and what it names.
type entry struct {
	units []Unit
	index bool
}

// entries reads CUDA_VISIBLE_DEVICES up to the first entry that names nothing, which
// NVIDIA documents. That a repetition hides all is not documented: torch, which reads
// the variable too, does so.
func entries(n facts.Nvidia) (list []entry, wrong string) {
	seen := make(map[string]bool)
	for text := range strings.SplitSeq(*n.Visible, ",") {
		text = strings.TrimSpace(text)
		e, id, ok := resolve(n.Devices, text)
		switch {
		case !ok && (text == "" || text == "-1" || text == "NoDevFiles"): // the ways to hide what follows
			return list, ""
		case !ok:
			return list, fmt.Sprintf("there is no GPU %q, and CUDA stops there", text)
		case seen[id]:
			return nil, fmt.Sprintf("%q names a GPU for the second time, and CUDA then shows none", text)
		}
		seen[id] = true
		list = append(list, e)
	}
	return list, ""
}

// resolve finds what one entry names, and a name for it that is the same however
// it was spelled.
func resolve(devices []facts.Device, text string) (e entry, id string, ok bool) {
	if i, err := strconv.Atoi(text); err == nil {
		if i < 0 || i >= len(devices) {
			return entry{}, "", false
		}
		return entry{units(devices[i]), true}, "gpu " + strconv.Itoa(i), true
	}
	if !strings.HasPrefix(text, "GPU-") && !strings.HasPrefix(text, "MIG-") {
		return entry{}, "", false
	}
	found := 0
	for i, d := range devices {
		if strings.HasPrefix(d.UUID, text) {
			e, id = entry{units: units(d)}, "gpu "+strconv.Itoa(i)
			found++
		}
		for j, s := range d.Slices {
			if strings.HasPrefix(s.UUID, text) && d.MIG == "enabled" && d.Problem == "" {
				e, id = entry{units: units(d)[j : j+1]}, "slice "+strconv.Itoa(i)+" "+strconv.Itoa(j)
				found++
			}
		}
	}
	return e, id, found == 1
}

// alike reports that it makes no difference which of the devices is meant.
func alike(devices []facts.Device) bool {
	for _, d := range devices {
		if d.Name != devices[0].Name || d.Memory != devices[0].Memory || d.MIG != devices[0].MIG || d.Problem != devices[0].Problem || len(d.Slices) != 0 {
			return false
		}
	}
	return true
}
