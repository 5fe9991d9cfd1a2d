package lock

import (
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
	unpacked := "" // what PEP 751 has no key for
	for _, p := range packages {
		fmt.Fprintf(&b, "\n[[packages]]\nname = %s\nversion = %s\n", quote(p.Name), quote(p.Version))
		if p.Platforms != nil {
			fmt.Fprintf(&b, "marker = %s\n", quote(Marker(p.Platforms)))
		}
		b.WriteString("wheels = [\n")
		for _, w := range slices.SortedFunc(slices.Values(p.Wheels), compareWheels) {
			fmt.Fprintf(&b, "    {name = %s, path = %s, ", quote(w.File), quote("wheels/"+w.File))
			if w.Size > 0 {
				fmt.Fprintf(&b, "size = %d, ", w.Size)
			}
			fmt.Fprintf(&b, "hashes = {sha256 = %s}},\n", quote(w.SHA256.String()))
			if w.Unpacked > 0 {
				unpacked += fmt.Sprintf("%s = %d\n", quote(w.File), w.Unpacked)
			}
		}
		b.WriteString("]\n")
	}
	fmt.Fprintf(&b, "\n[tool.reconcile]\nformat = %d\nplatforms = %s\nrequests = [\n", format, quoteList(platforms))
	for _, r := range slices.Sorted(slices.Values(l.Requests)) {
		fmt.Fprintf(&b, "    %s,\n", quote(r))
	}
	b.WriteString("]\n")
	if unpacked != "" {
		b.WriteString("\n# Installed size in bytes, if known.\n[tool.reconcile.unpacked]\n" + unpacked)
	}
	if l.Conda != nil {
		l.Conda.encode(&b)
	}
	return []byte(b.String())
}

func (c *Conda) encode(b *strings.Builder) {
	b.WriteString("\n# Conda packages, solved for each platform.\n[tool.reconcile.conda]\n")
	fmt.Fprintf(b, "channels = %s\nrequests = %s\n", quoteList(c.Channels), quoteList(slices.Sorted(slices.Values(c.Requests))))
	for _, p := range slices.SortedFunc(slices.Values(c.Packages), compareConda) {
		b.WriteString("\n[[tool.reconcile.conda.packages]]\n")
		for _, kv := range [][2]string{
			{"platform", p.Platform}, {"name", p.Name}, {"version", p.Version}, {"build", p.Build}, {"channel", p.Channel},
			{"subdir", p.Subdir}, {"noarch", p.Noarch}, {"file", p.File}, {"sha256", p.SHA256}, {"md5", p.MD5},
			{"license", p.License}, {"site-packages", p.SitePackages},
		} {
			if kv[1] != "" {
				fmt.Fprintf(b, "%s = %s\n", kv[0], quote(kv[1]))
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

func quoteList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// quote writes a basic string of TOML, which is also a double-quoted string of YAML. It
// escapes the characters that some YAML parsers treat as line ends or reject.
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
