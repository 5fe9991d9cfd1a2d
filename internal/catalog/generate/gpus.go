package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
)

// A gpu is an entry of gpus.json.
type gpu struct {
	Vendor     string `json:"vendor"`
	Device     string `json:"device"` // PCI device ID
	Name       string `json:"name"`
	Integrated bool   `json:"integrated,omitempty"`
	Source     string `json:"source"`
}

// The families of GPUs, by the names in pci.ids, on which builds of torch for ROCm and XPU compute,
// and those of the same age. A name is a family and in brackets the models.
var (
	amdCards      = regexp.MustCompile(`^(Vega [12]|Navi |Arcturus|Aldebaran|Aqua Vanjaram).*\[`)
	amdProcessors = regexp.MustCompile(`^(Raven Ridge|Picasso|Renoir|Cezanne|Barcelo|Lucienne|Rembrandt|Raphael|Phoenix|HawkPoint|Strix|Krackan|Granite Ridge|Mendocino|VanGogh)[^ ]*( Halo|/Raven 2)?( \[|$)`)
	intelGPUs     = regexp.MustCompile(`\bArc (Pro )?[AB]?[0-9]|\bArc Graphics|Data Center GPU`)
	intelInside   = regexp.MustCompile(` Lake|^Core Ultra`)
)

// gpuList returns gpus.json for the list pci.ids of the PCI ID Project.
func gpuList(list []byte) ([]byte, error) {
	version := regexp.MustCompile(`(?m)^#\s+Version: ([0-9]{4})\.([0-9]{2})\.([0-9]{2})$`).FindSubmatch(list)
	if version == nil {
		return nil, errors.New("the list has no version")
	}
	source := "pci.ids of the PCI ID Project, " + string(bytes.Join(version[1:], []byte("-")))
	lines := map[string][]string{}
	vendor := ""
	scanner := bufio.NewScanner(bytes.NewReader(list))
	for scanner.Scan() {
		line := scanner.Text()
		id, name, ok := strings.Cut(strings.TrimPrefix(line, "\t"), "  ")
		switch {
		case !ok || strings.HasPrefix(id, "\t") || strings.HasPrefix(line, "#"): // devices of other makers have two tabs
		case !strings.HasPrefix(line, "\t"):
			vendor = map[string]string{"1002": "amd", "8086": "intel"}[id]
		default:
			if g := describeGPU(vendor, name); g.Name != "" {
				g.Device, g.Source = id, source
				entry, err := json.Marshal(g)
				if err != nil {
					return nil, err
				}
				lines[vendor] = append(lines[vendor], "    "+string(entry))
			}
		}
	}
	all := append(lines["amd"], lines["intel"]...)
	return []byte("{\n  \"format\": 1,\n  \"gpus\": [\n" + strings.Join(all, ",\n") + "\n  ]\n}\n"), scanner.Err()
}

// describeGPU returns the GPU with a name in pci.ids, without Name if it is none of the families.
func describeGPU(vendor, name string) gpu {
	family, models, _ := strings.Cut(strings.TrimSuffix(name, "]"), " [")
	g := gpu{Vendor: vendor}
	switch {
	case strings.Contains(family, "Audio"):
	case vendor == "amd" && (amdCards.MatchString(name) || amdProcessors.MatchString(name)):
		g.Integrated = amdProcessors.MatchString(name)
		models, _ = strings.CutPrefix(models, "AMD ")
		if models == "Radeon Graphics" {
			models += " (" + family + ")"
		}
		g.Name = "AMD " + cmp.Or(models, "graphics of "+family)
	case vendor == "intel" && intelGPUs.MatchString(name):
		g.Integrated = intelInside.MatchString(family)
		models, _ = strings.CutPrefix(cmp.Or(models, name), "Intel ")
		if strings.HasSuffix(models, "Arc Graphics") {
			models += " (" + family + ")"
		}
		g.Name = "Intel " + models
	}
	return g
}
