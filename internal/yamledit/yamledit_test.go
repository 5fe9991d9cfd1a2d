package yamledit

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var packages = []string{"environments", "local", "packages"}

func parse(t rapid.TB, text string) (*Text, Value) {
	t.Helper()
	file, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	v, _ := file.Get(packages...)
	return file, v
}

func request(s string) Item {
	return Item{Scalar: s, Fields: []Field{{Key: "name", Value: s}, {Key: "version", Value: "1.0"}}}
}

// inEnvironment returns a manifest whose packages are this text, indented.
func inEnvironment(list string) string {
	return "environments:\n  local:\n    packages:" + list + "    smoke_test:\n      imports: [b]\n"
}

func TestInsert(t *testing.T) {
	for name, c := range map[string]struct {
		list string
		at   int
		item Item
		want string
	}{
		"scalars in the quotes of the others": {"\n      - 'a>=1'\n", 1, request("b>=2,<3"), "\n      - 'a>=1'\n      - 'b>=2,<3'\n"},
		"plain scalars":                       {"\n      - a>=1\n", 1, request("b>=2"), "\n      - a>=1\n      - b>=2\n"},
		"quotes where they are necessary":     {"\n      - a>=1\n", 1, request(`b; os_name == "nt" # x`), "\n      - a>=1\n      - 'b; os_name == \"nt\" # x'\n"},
		"mappings among mappings":             {"\n      - {name: a, version: 1.0.0} # why\n", 1, request("b"), "\n      - {name: a, version: 1.0.0} # why\n      - {name: b, version: \"1.0\"}\n"},
		"block mappings":                      {"\n      -  name: a\n         version: 1.0.0\n", 1, request("b"), "\n      -  name: a\n         version: 1.0.0\n      -  name: b\n         version: \"1.0\"\n"},
		"below the comment of a group":        {"\n      # data\n      - b\n      - c\n", 0, request("a"), "\n      # data\n      - a\n      - b\n      - c\n"},
		"above the comment of one item":       {"\n      # about b\n      - b\n\n      - c\n", 0, request("a"), "\n      - a\n      # about b\n      - b\n\n      - c\n"},
		"before a comment at the end":         {"\n      - b\n      # - c\n", 1, request("z"), "\n      - b\n      - z\n      # - c\n"},
		"into an empty list":                  {" [] # none yet\n", 0, request("a"), " # none yet\n      - \"a\"\n"},
		"into a flow list":                    {" [b, c]\n", 1, request("bb"), " [b, bb, c]\n"},
		"at the end of a flow list":           {" [b, c]\n", 2, request("d"), " [b, c, d]\n"},
		"a flow list over lines":              {" [\n      b, # x\n      c # y\n    ]\n", 2, request("d"), " [\n      b, # x\n      c, # y\n      d\n    ]\n"},
		"a flow list over lines, in between":  {" [\n      b, # x\n      c # y\n    ]\n", 1, request("bb"), " [\n      b, # x\n      bb,\n      c # y\n    ]\n"},
		"a flow list with a last comma":       {" [\n      b,\n    ]\n", 1, request("c"), " [\n      b,\n      c,\n    ]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			file, v := parse(t, inEnvironment(c.list))
			got, err := file.Insert(v, c.at, c.item)
			if err != nil {
				t.Fatal(err)
			}
			if want := inEnvironment(c.want); string(got) != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	for name, c := range map[string]struct {
		list string
		at   int
		want string
	}{
		"with its comments":           {"\n      - a\n      # about b\n      - b # more\n\n      - c\n", 1, "\n      - a\n\n      - c\n"},
		"not the comment of a group":  {"\n      # data\n      - b # x\n      - c\n", 0, "\n      # data\n      - c\n"},
		"the only one":                {" # all\n      - b # x\n", 0, " [] # all\n"},
		"a block mapping":             {"\n      - name: a\n        # inside\n        version: 1.0\n      - b\n", 0, "\n      - b\n"},
		"a text block in it":          {"\n      - name: a\n        why: |\n          # no comment\n\n          two\n\n      - b\n", 0, "\n\n      - b\n"},
		"from a flow list":            {" [a, 'b,]', c]\n", 1, " [a, c]\n"},
		"the first of a flow list":    {" [a, b]\n", 0, " [b]\n"},
		"the last of a flow list":     {" [a, b]\n", 1, " [a]\n"},
		"the only one of a flow list": {" [a]\n", 0, " []\n"},
		"of a flow list over lines":   {" [\n      a, # x\n      b # y\n    ]\n", 1, " [\n      a # x\n    ]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			file, v := parse(t, inEnvironment(c.list))
			got, err := file.Remove(v, c.at)
			if err != nil {
				t.Fatal(err)
			}
			if want := inEnvironment(c.want); string(got) != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestAddList(t *testing.T) {
	for in, want := range map[string]string{
		"a: {type: venv}\n": "a: {type: venv, packages: [\"x\"]}\n",
		"a:\n  type: venv\n  path: .venv # here\n  note: |\n    x\n":     "a:\n  type: venv\n  path: .venv # here\n  packages:\n    - \"x\"\n  note: |\n    x\n",
		"b:\n- 1\na:\n  type: venv":                                      "b:\n- 1\na:\n  type: venv\n  packages:\n  - \"x\"",
		"a:\r\n  path: 'ä' # ü\r\n  match:\r\n    gpu: none\r\nb: 1\r\n": "a:\r\n  path: 'ä' # ü\r\n  packages:\r\n    - \"x\"\r\n  match:\r\n    gpu: none\r\nb: 1\r\n",
	} {
		file, err := Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		a, _ := file.Get("a")
		got, err := file.AddList(a, "packages", []string{"type", "path"}, Item{Scalar: "x"})
		if err != nil || string(got) != want {
			t.Errorf("%q: got\n%q, %v, want\n%q", in, got, err, want)
		}
	}
}

func TestReplace(t *testing.T) {
	item := Item{Scalar: "b>=2", Fields: []Field{{Key: "name", Value: "b"}, {Key: "index", Value: "mine"}}}
	for name, c := range map[string]struct{ list, want string }{
		"a scalar":               {"\n      - 'a>=1'\n      - b # last\n", "\n      - 'a>=1'\n      - {name: b, index: mine} # last\n"},
		"a flow mapping":         {"\n      - a\n      - {name: b} # last\n", "\n      - a\n      - {name: b, index: mine} # last\n"},
		"a block mapping":        {"\n      - a\n      - name: b\n        version: \"1\"\n      - c\n", "\n      - a\n      - name: b\n        index: mine\n      - c\n"},
		"an item of a flow list": {" [a, b, c]\n", " [a, {name: b, index: mine}, c]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			file, v := parse(t, inEnvironment(c.list))
			got, err := file.Replace(v, 1, item)
			if err != nil {
				t.Fatal(err)
			}
			if want := inEnvironment(c.want); string(got) != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestSetScalar(t *testing.T) {
	for in, want := range map[string]string{
		"{name: a, version: 1.0.0, why: x}": "{name: a, version: 2.0.0+ü, why: x}",
		`{"version":"1.0", why: "ä"}`:       `{"version":"2.0.0+ü", why: "ä"}`,
		"{why: 'it''s', version: '1' }":     "{why: 'it''s', version: '2.0.0+ü' }",
	} {
		file, v := parse(t, inEnvironment(" ["+in+"]\n"))
		version, _ := v.Items()[0].Get("version")
		got, err := file.SetScalar(version, "2.0.0+ü")
		if want := inEnvironment(" [" + want + "]\n"); err != nil || string(got) != want {
			t.Errorf("%s: got\n%s, %v", in, got, err)
		}
	}
	file, v := parse(t, inEnvironment("\n      - {name: a, version: 1.0.0}\n"))
	version, _ := v.Items()[0].Get("version")
	if got, err := file.SetScalar(version, "2.10"); err != nil || !strings.Contains(string(got), `version: "2.10"}`) {
		t.Errorf("a version that is a number is quoted: got\n%s, %v", got, err)
	}
}

func TestWhatCannotBeEditedIsRefused(t *testing.T) {
	for in, want := range map[string]string{
		"a: &x [b]\nc: *x\n": "anchor",
		"a: [*x]\n":          "anchor",
		"a: !!seq [b]\n":     "tag",
		"- a\n":              "mapping",
		"":                   "mapping",
	} {
		if _, err := Parse([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", in, err, want)
		}
	}
	for _, list := range []string{
		"\n      - a\n        b\n",           // one text over two lines
		"\n      - - a\n",                    // lists in one line
		"\n      -\n      - a\n",             // no value
		"\n      ? x\n      : y\n",           // not a list
		"\n      - {name: a,\nversion: 1}\n", // a line to the left of its block
	} {
		file, v := parse(t, inEnvironment(list))
		for i := range max(1, len(v.Items())) {
			if got, err := file.Remove(v, i); err == nil {
				// Whatever is not refused was checked.
				parse(t, string(got))
			}
		}
	}
}

// manifests generates texts with a list of packages, in all layouts.
func manifests(t *rapid.T) (text string, count int) {
	boolean := func(label string) bool { return rapid.Bool().Draw(t, label) }
	one := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	comment := 0
	note := func(label string) string {
		if !boolean(label) {
			return ""
		}
		comment++
		return one("blank", " ", "\t", "  ") + fmt.Sprintf("# c%d: [é, it's \"x\"", comment)
	}
	scalars := []string{"%s", "'%s>=1,<2'", "\"%s ; os_name == 'nt'\"", "%s~=1.0", "'%s # x'"}
	flows := []string{"{name: %s, version: \"1.0\", why: \"ü, ]}\"}", "{\"name\":\"%s\",\"version\":\"1\"}", "{name: %s, version: 1.0.0, extras: [x, 'y}'], why: it's}"}
	count = rapid.IntRange(0, 4).Draw(t, "items")
	var b strings.Builder
	b.WriteString("# top\nenvironments:\n  local: # x\n    type: venv\n    packages:")
	closing, last := "", ""
	if boolean("flow") {
		lines := boolean("lines")
		b.WriteString(" [")
		for i := range count {
			item := fmt.Sprintf(rapid.SampledFrom(slices.Concat(scalars[:3], flows)).Draw(t, "item"), fmt.Sprintf("pkg-%d", i))
			comma := ","
			if i == count-1 && !boolean("last comma") {
				comma = ""
			}
			if !lines {
				b.WriteString(strings.TrimLeft(strings.Repeat(" ", min(i, 1))+item+comma, ""))
				continue
			}
			if i == 0 || boolean("break") {
				b.WriteString(note("behind") + "\n")
				if boolean("above") {
					b.WriteString("       " + note("above") + "\n")
				}
				b.WriteString("      ")
			} else {
				b.WriteString(" ")
			}
			b.WriteString(item + comma)
		}
		if lines && count > 0 && boolean("closing line") {
			b.WriteString(note("behind") + "\n    ")
		}
		closing = "]" + note("end")
	} else if count == 0 {
		closing = " []" + note("end")
	} else {
		margin := one("margin", "    ", "      ")
		b.WriteString(note("key"))
		for i := range count {
			for range rapid.IntRange(0, 2).Draw(t, "above") {
				b.WriteString("\n")
				if boolean("comment above") {
					b.WriteString(margin + strings.TrimLeft(note("above"), " \t"))
				}
			}
			name := fmt.Sprintf("pkg-%d", i)
			switch one("form", "scalar", "flow", "block", "text") {
			case "scalar":
				fmt.Fprintf(&b, "\n%s- "+one("scalar", scalars...)+"%s", margin, name, note("behind"))
			case "flow":
				fmt.Fprintf(&b, "\n%s-  "+one("mapping", flows...)+"%s", margin, name, note("behind"))
			case "block":
				fmt.Fprintf(&b, "\n%s- name: %s%s\n%s  version: '1.0'%s", margin, name, note("inside"), margin, note("behind"))
			case "text":
				last = "\n" // without it the next item would add a line end to the text
				fmt.Fprintf(&b, "\n%s- name: %s\n%s  why: |\n%s    # no comment\n\n%s    more", margin, name, margin, margin, margin)
			}
		}
	}
	b.WriteString(closing)
	if boolean("following") {
		b.WriteString("\n" + one("before", "", "\n", "      # c: end\n", "# c: left\n") + "    smoke_test: {imports: [b]}")
	}
	text = b.String() + last + one("last line end", "", "\n", "\n\n", "\n# c: last\n")
	if boolean("crlf") {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text, count
}

var comment = regexp.MustCompile(`# c\d*: [^\r\n]*`)

// TestAddedItemCanBeRemoved holds that adding an item keeps every line and every comment,
// and that removing it gives the same bytes.
func TestAddedItemCanBeRemoved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, count := manifests(t)
		i := rapid.IntRange(0, count).Draw(t, "at")
		item := rapid.SampledFrom([]Item{
			{Scalar: "new>=1,<2"}, {Scalar: "new", Fields: []Field{{Key: "name", Value: "new"}}},
			{Fields: []Field{{Key: "name", Value: "new"}, {Key: "version", Value: "1.10"}, {Key: "why", Value: "it's \"é\" # x"}, {Key: "extras", List: []string{"a", "b"}}}},
		}).Draw(t, "new")
		file, v := parse(t, text)
		added, err := file.Insert(v, i, item)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if before, after := comment.FindAllString(text, -1), comment.FindAllString(string(added), -1); !slices.Equal(before, after) {
			t.Fatalf("comments %q became %q\n%s\n%s", before, after, text, added)
		}
		if strings.Contains(text, "\r\n") && strings.Count(string(added), "\n") != strings.Count(string(added), "\r\n") {
			t.Fatalf("line ends are mixed\n%q", added)
		}
		file, v = parse(t, string(added))
		removed, err := file.Remove(v, i)
		if err != nil {
			t.Fatalf("%v\n%s", err, added)
		}
		if string(removed) != text {
			t.Fatalf("add and remove changed\n%s\nto\n%s\nover\n%s", text, removed, added)
		}
	})
}

// TestRemoveKeepsOtherComments holds that removing an item removes at most the comments next
// to it.
func TestRemoveKeepsOtherComments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, count := manifests(t)
		if count == 0 {
			return
		}
		i := rapid.IntRange(0, count-1).Draw(t, "at")
		file, v := parse(t, text)
		first, last := 0, len(text)
		if i > 0 {
			first = file.offset(v.Items()[i-1].node)
		}
		if i+1 < count {
			last = file.offset(v.Items()[i+1].node)
		}
		got, err := file.Remove(v, i)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for _, at := range comment.FindAllStringIndex(text, -1) {
			if c := text[at[0]:at[1]]; (at[0] < first || at[0] > last) && !strings.Contains(string(got), c) {
				t.Fatalf("comment %q is lost\n%s\n%s", c, text, got)
			}
		}
	})
}

func FuzzEdits(f *testing.F) {
	for _, list := range []string{" [a, {name: b}]\n", "\n      - a # x\n      - name: b\n        version: 1\n", " []\n", "\n    - 'a'\n    # b\n    - c"} {
		f.Add(inEnvironment(list), uint(1))
	}
	f.Fuzz(func(t *testing.T, text string, at uint) {
		file, err := Parse([]byte(text))
		if err != nil {
			return
		}
		v, ok := file.Get(packages...)
		if !ok {
			return
		}
		items := v.Items()
		if added, err := file.Insert(v, int(at%uint(len(items)+1)), request("new")); err == nil {
			parse(t, string(added))
		}
		if len(items) > 0 {
			_, _ = file.Remove(v, int(at%uint(len(items))))
			_, _ = file.SetScalar(items[at%uint(len(items))], "x")
		}
	})
}
