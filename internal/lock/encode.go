package lock

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Encode writes the lock as pylock.toml. Equal locks give equal bytes.
func (l *Lock) Encode() []byte {
	var b strings.Builder
	b.WriteString("# Written by `reconcile lock` from manifest.yaml. Do not edit: change the manifest, then run it again.\n")
	fmt.Fprintf(&b, "lock-version = %s\n", quote(Version))
	b.WriteString("environments = [\n")
	platforms := slices.Sorted(slices.Values(l.Platforms))
	for _, p := range platforms {
		fmt.Fprintf(&b, "    %s,\n", quote(marker(p)))
	}
	fmt.Fprintf(&b, "]\nrequires-python = %s\ncreated-by = \"reconcile\"\n", quote(l.RequiresPython))
	packages := slices.SortedStableFunc(slices.Values(l.Packages), comparePackages)
	for _, p := range packages {
		encodePackage(&b, p)
	}
	encodeTool(&b, l, platforms, packages)
	encodeConda(&b, l.Conda)
	return []byte(b.String())
}

func encodePackage(b *strings.Builder, p Package) {
	fmt.Fprintf(b, "\n[[packages]]\nname = %s\nversion = %s\n", quote(p.Name), quote(p.Version))
	if p.Platforms != nil {
		fmt.Fprintf(b, "marker = %s\n", quote(Marker(p.Platforms)))
	}
	b.WriteString("wheels = [\n")
	for _, w := range slices.SortedFunc(slices.Values(p.Wheels), func(a, b Wheel) int { return strings.Compare(a.File, b.File) }) {
		fmt.Fprintf(b, "    {name = %s, path = %s, ", quote(w.File), quote("wheels/"+w.File))
		if w.Size > 0 {
			fmt.Fprintf(b, "size = %d, ", w.Size)
		}
		fmt.Fprintf(b, "hashes = {sha256 = %s}},\n", quote(w.SHA256.String()))
	}
	b.WriteString("]\n")
}

// encodeTool writes what the standard has no place for.
func encodeTool(b *strings.Builder, l *Lock, platforms []string, packages []Package) {
	fmt.Fprintf(b, "\n[tool.reconcile]\nformat = %d\nplatforms = [", format)
	for i, p := range platforms {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(p))
	}
	b.WriteString("]\nrequests = [\n")
	for _, r := range slices.Sorted(slices.Values(l.Requests)) {
		fmt.Fprintf(b, "    %s,\n", quote(r))
	}
	b.WriteString("]\n")
	header := "\n# Bytes on disk once installed, where the index let them be read.\n[tool.reconcile.unpacked]\n"
	for _, p := range packages {
		for _, w := range slices.SortedFunc(slices.Values(p.Wheels), func(a, b Wheel) int { return strings.Compare(a.File, b.File) }) {
			if w.Unpacked > 0 {
				fmt.Fprintf(b, "%s%s = %d\n", header, quote(w.File), w.Unpacked)
				header = ""
			}
		}
	}
}

// encodeConda writes the part that conda installs.
func encodeConda(b *strings.Builder, c *Conda) {
	if c == nil {
		return
	}
	b.WriteString("\n# What conda installs, solved for each platform; archives by name and digest.\n[tool.reconcile.conda]\n")
	fmt.Fprintf(b, "channels = %s\nrequests = %s\n", quoteList(c.Channels), quoteList(slices.Sorted(slices.Values(c.Requests))))
	for _, p := range slices.SortedFunc(slices.Values(c.Packages), compareConda) {
		b.WriteString("\n[[tool.reconcile.conda.packages]]\n")
		for _, kv := range []struct{ key, value string }{
			{"platform", p.Platform}, {"name", p.Name}, {"version", p.Version}, {"build", p.Build}, {"channel", p.Channel},
			{"subdir", p.Subdir}, {"noarch", p.Noarch}, {"file", p.File}, {"sha256", p.SHA256}, {"md5", p.MD5},
			{"license", p.License}, {"site-packages", p.SitePackages},
		} {
			if kv.value != "" {
				fmt.Fprintf(b, "%s = %s\n", kv.key, quote(kv.value))
			}
		}
		fmt.Fprintf(b, "build-number = %d\n", p.BuildNumber)
		if p.Size > 0 {
			fmt.Fprintf(b, "size = %d\n", p.Size)
		}
		if len(p.Depends) > 0 {
			fmt.Fprintf(b, "depends = %s\n", quoteList(p.Depends))
		}
		if len(p.Constrains) > 0 {
			fmt.Fprintf(b, "constrains = %s\n", quoteList(p.Constrains))
		}
	}
}

// compareConda orders by platform, then name.
func compareConda(a, b CondaPackage) int {
	return cmp.Or(strings.Compare(a.Platform, b.Platform), strings.Compare(a.Name, b.Name))
}

func quoteList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// quote writes a TOML basic string. What some reader of YAML, which is given these
// too, takes for the end of a line or for no character is escaped.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || c >= 0x7f && c < 0xa0, c == '\u2028' || c == '\u2029', c == '\ufeff' || c == '\ufffe' || c == '\uffff':
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
