package declared

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// files returns a file system with files by name.
func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

// show returns a requirement in one line.
func show(q Requirement) string {
	s := q.String()
	if q.URL != "" {
		s = strings.TrimSpace(s + " @ " + q.URL)
	}
	if q.Editable {
		s = "-e " + s
	}
	if q.Marker != "" {
		s += " ; " + q.Marker
	}
	if q.Index != "" {
		s += " from " + q.Index
	}
	for _, h := range q.Hashes {
		s += " " + h
	}
	if q.Group != "" {
		s += " [" + q.Group + "]"
	}
	return fmt.Sprintf("%s: %s", q.Pos, s)
}

// content returns a set in lines.
func content(set *Set) string {
	var b strings.Builder
	for _, q := range set.Requirements {
		fmt.Fprintln(&b, show(q))
	}
	for _, q := range set.Constraints {
		fmt.Fprintln(&b, "constraint", show(q))
	}
	for _, q := range set.Overrides {
		fmt.Fprintln(&b, "override", show(q))
	}
	for _, x := range set.Indexes {
		fmt.Fprintf(&b, "%s index %s %q %s\n", x.Pos, x.Kind, x.Name, x.URL)
	}
	for _, c := range set.Conda {
		fmt.Fprintf(&b, "%s: conda %s|%s|%v|%s|%s\n", c.Pos, c.Name, c.Version, c.Exact, c.Build, c.Channel)
	}
	if len(set.Channels) > 0 {
		fmt.Fprintln(&b, "channels", set.Channels)
	}
	for _, p := range append(slices.Clip(set.Python), set.CompiledFor) {
		if p.Clauses != nil {
			fmt.Fprintf(&b, "%s: python %s\n", p.Pos, pep.Specifier(p.Clauses))
		}
	}
	for _, n := range set.NotRead {
		fmt.Fprintf(&b, "%s: not read: %s: %s\n", n.Pos, n.Text, n.Reason)
	}
	return b.String()
}

// check reads a reference and compares the set, and the problems after it.
func check(t *testing.T, fsys fs.FS, reference, want string) *Set {
	t.Helper()
	set, err := Read(fsys, reference)
	got := content(set)
	if err != nil {
		got += "error: " + err.Error() + "\n"
	}
	if strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("Read(%q):\n%s\nwant:\n%s", reference, got, want)
	}
	return set
}

func TestRequirementsOfPip(t *testing.T) {
	fsys := files(
		"requirements.txt", "\ufeff# head\n"+
			"numpy>=1.26,<2  # comment\n"+
			"  pandas [excel, html] ~= 2.1 ; python_version > '3.9'\n"+
			"torch == 2.1.2 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"+
			"long\\\nname\n"+
			"-r requirements/extra.txt\n"+
			"-c constraints.txt\n"+
			"-e .\n"+
			"-e ./libs/x[dev]\n"+
			"git+https://code.test/peft.git\n"+
			"git+https://code.test/trl.git@v1.0#egg=trl[all]&subdirectory=python\n"+
			"acc @ git+ssh://git@code.test/acc@0123 ; sys_platform == 'linux'\n"+
			"./wheels/mine-1.0-py3-none-any.whl\n"+
			"https://files.test/w/six-1.16.0-py2.py3-none-any.whl#sha256=ab ; python_version < '3.12'\n"+
			"https://files.test/a/thing-2.0.tar.gz\n",
		"requirements/extra.txt", "-r ../common.txt\nsix\n",
		"common.txt", "idna\nnumpy>=1.26,<2\n",
		"constraints.txt", "urllib3<2\n",
		"pyproject.toml", "[project]\nname = 'mine-itself'\n",
		"libs/x/setup.py", "from setuptools import setup\nsetup(name='libx', version='1')\n",
		"wheels/mine-1.0-py3-none-any.whl", "",
	)
	set := check(t, fsys, "requirements.txt", `
requirements.txt:2:1: numpy>=1.26,<2
requirements.txt:3:3: pandas[excel,html]~=2.1 ; python_version > '3.9'
requirements.txt:4:1: torch==2.1.2 sha256:aa sha256:bb
requirements.txt:7:1: longname
common.txt:1:1: idna
requirements/extra.txt:2:1: six
requirements.txt:11:1: -e mine-itself @ ./
requirements.txt:12:1: -e libx[dev] @ ./libs/x
requirements.txt:13:1: @ git+https://code.test/peft.git
requirements.txt:14:1: trl[all] @ git+https://code.test/trl.git@v1.0#subdirectory=python
requirements.txt:15:1: acc @ git+ssh://git@code.test/acc@0123 ; sys_platform == 'linux'
requirements.txt:16:1: mine @ ./wheels/mine-1.0-py3-none-any.whl
requirements.txt:17:1: six @ https://files.test/w/six-1.16.0-py2.py3-none-any.whl#sha256=ab ; python_version < '3.12'
requirements.txt:18:1: thing @ https://files.test/a/thing-2.0.tar.gz
constraint constraints.txt:1:1: urllib3<2
`)
	if want := []string{"requirements.txt", "requirements/extra.txt", "common.txt", "constraints.txt"}; !slices.Equal(set.Files, want) {
		t.Errorf("files are %q, want %q", set.Files, want)
	}
}

func TestOptionsOfRequirements(t *testing.T) {
	fsys := files("r.txt", `
--index-url https://user:secret@index.test/simple
--extra-index-url=https://whl.test/cu118/?token=secret
-f https://data.test/whl.html
--find-links wheels
-i "${INDEX}"
--no-binary flash-attn
--require-hashes
--pre
--trusted-host index.test
--extra-index-url ftp://index.test
--unknown x
`, "wheels/a", "")
	check(t, fsys, "r.txt", `
r.txt:2:1 index default "" https://index.test/simple
r.txt:3:1 index extra "" https://whl.test/cu118/
r.txt:4:1 index find-links "" https://data.test/whl.html
r.txt:5:1 index find-links "" ./wheels
r.txt:2:1: not read: https://***@index.test/simple: `+credentialsReason+`
r.txt:3:1: not read: https://whl.test/cu118/: `+credentialsReason+`
r.txt:6:1: not read: -i "${INDEX}": `+variableReason+`
r.txt:7:1: not read: --no-binary flash-attn: a lock is made without --no-binary
r.txt:9:1: not read: --pre: a lock is made without --pre
r.txt:10:1: not read: --trusted-host index.test: a lock is made without --trusted-host
r.txt:11:1: not read: ftp://index.test: the URL of the index is malformed
error: r.txt:12:1: "--unknown" is not an option of a requirements file
`)
}

func TestLinesThatHaveNoMeaningAreReported(t *testing.T) {
	check(t, files("r.txt", `-e ../other
/data/wheels/x.whl
file:///data/x
C:\x.whl
./absent
hg+https://code.test/x
tool @ git+https://me:secret@code.test/x.git
y @ https://${TOKEN}@code.test/y.zip
-r ../outside.txt
`), "r.txt", `
r.txt:7:1: tool @ git+https://code.test/x.git
r.txt:1:1: not read: ../other: the path is outside of the project
r.txt:2:1: not read: /data/wheels/x.whl: an absolute path exists on one machine only
r.txt:3:1: not read: file:///data/x: an absolute path exists on one machine only
r.txt:4:1: not read: C:\x.whl: an absolute path exists on one machine only
r.txt:5:1: not read: ./absent: the path does not exist
r.txt:6:1: not read: hg+https://code.test/x: only git repositories and https files can be a source
r.txt:7:1: not read: git+https://***@code.test/x.git: `+credentialsReason+`
r.txt:8:1: not read: y @ https://***@code.test/y.zip: `+variableReason+`
r.txt:9:1: not read: ../outside.txt: the file is outside of the project
`)
}

func TestErrorsOfRequirements(t *testing.T) {
	fsys := files(
		"bad.txt", "numpy 1.26\nx ; python_version\n https://user:secret@host x\n-r absent.txt\nsix\n",
		"a.txt", "-r b.txt\n", "b.txt", "x\n-r a.txt\n", "self.txt", "\n-r self.txt\n",
		"pins.txt", "torch==2.1\nsix==1.16.0\n-r more.txt\n-c limits.txt\nw==1 ; os_name == 'nt'\nw==2 ; os_name != 'nt'\n",
		"more.txt", "Torch==2.2\n", "limits.txt", "six == 1.16\nsix==1.15\ntorch==2.1+cu118\n",
		"dir.txt/x", "", "big.txt", strings.Repeat("x\n", maxFile),
	)
	check(t, fsys, "bad.txt", `
bad.txt:5:1: six
bad.txt:3:2: not read: https://***@host x: the URL is malformed
error: bad.txt:1:1: "numpy 1.26" is not a requirement
bad.txt:2:1: "python_version" is not a marker
bad.txt:4:1: absent.txt does not exist
  hint: create the file, or correct the line that names it
`)
	check(t, fsys, "a.txt", `
b.txt:1:1: x
error: b.txt:2:1: a.txt includes itself
  found: the cycle begins at a.txt:1:1
  hint: remove one of the two lines
`)
	if _, err := Read(fsys, "self.txt"); err == nil || !strings.Contains(err.Error(), "self.txt:2:1: self.txt includes itself") {
		t.Errorf("a file that includes itself: %v", err)
	}
	_, err := Read(fsys, "pins.txt")
	for _, want := range []string{
		"more.txt:1:1: Torch==2.2 contradicts torch==2.1\n  found: the other one at pins.txt:1:1",
		"limits.txt:2:1: six==1.15 contradicts six==1.16.0\n  found: the other one at pins.txt:2:1",
	} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v\nmisses %s", err, want)
		}
	}
	for file, want := range map[string]string{
		"absent": "absent: absent does not exist", "dir.txt": "is a directory", "big.txt": "is larger than 1 MiB", "../x": "is not a path in the project",
		"pins.txt#dev": "pins.txt has no extras or groups",
	} {
		if set, err := Read(fsys, file); set == nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Read(%q) = %v, want %q", file, err, want)
		}
	}
}

func TestEncodingsAndHeader(t *testing.T) {
	utf16 := "\xff\xfes\x00i\x00x\x00\n\x00"
	big := "\xfe\xff\x00s\x00i\x00x"
	for _, text := range []string{utf16, big, "six\r\n"} {
		check(t, files("r.txt", text), "r.txt", "r.txt:1:1: six")
	}
	check(t, files("r.txt", "#\n# This file is autogenerated by pip-compile with Python 3.11\n# by the following command:\nsix==1.16.0\n    # via -r in\n"), "r.txt",
		"r.txt:4:1: six==1.16.0\nr.txt:2:1: python ==3.11.*")
	check(t, files("r.txt", "#    uv pip compile in.txt --python-version 3.12 -o r.txt\nsix\n"), "r.txt", "r.txt:2:1: six\nr.txt:1:1: python ==3.12.*")
}
