package rsync

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func testRemote() Remote {
	return Remote{User: "root", Host: "203.0.113.7", Port: 40022, Path: "/workspace/p"}
}

func TestFolderCommands(t *testing.T) {
	push := Transfer{Push: true, LocalDir: "data/processed", Remote: testRemote(), Path: "data/processed"}
	calls := push.Commands()
	if got, want := strings.Join(calls[0].Argv(), " "), "ssh -p 40022 -o ConnectTimeout=15 -o ServerAliveInterval=15 root@203.0.113.7 test -d /workspace/p && mkdir -p /workspace/p/data/processed"; got != want {
		t.Errorf("first %s\nwant  %s", got, want)
	}
	words := calls[1].Args
	if n := len(words); words[n-2] != "data/processed/" || words[n-1] != "root@203.0.113.7:/workspace/p/data/processed/" {
		t.Errorf("the folders are %q, want a slash after each", words[n-2:])
	}
	if words[0] != "-rltz" || slices.Contains(words, "-b") {
		t.Errorf("a push is %q", words)
	}
	pull := Transfer{LocalDir: "adapters", Remote: Remote{Host: "2001:db8::1", Path: "p"}, Path: "adapters", BackupDir: "/store/projects/x", SecludedArgs: true}
	words = pull.Commands()[1].Args
	if n := len(words); words[n-2] != "[2001:db8::1]:p/adapters/" || words[n-1] != "adapters/" || words[0] != "-rlts" || !slices.Contains(words, "--backup-dir=/store/projects/x") {
		t.Errorf("a pull is %q", words)
	}
	for _, t2 := range []Transfer{push, pull} {
		for _, c := range append(t2.Commands(), t2.DryRun(), t2.Run(Version{})) {
			for _, w := range c.Args {
				if strings.Contains(w, "delete") || w == "--inplace" || w == "--partial" || w == "-K" || w == "-L" || w == "-a" {
					t.Errorf("%s has the argument %s", c.Program, w)
				}
			}
		}
	}
}

func TestDryRunHasTheArgumentsOfRun(t *testing.T) {
	x := Transfer{Push: true, LocalDir: "d", Remote: testRemote(), Path: "d", Checksum: true}
	preview := slices.DeleteFunc(x.DryRun().Args, func(w string) bool { return w == "-n" })
	run := slices.DeleteFunc(x.Run(Version{}).Args, func(w string) bool { return w == "--progress" })
	if !slices.Equal(preview, run) {
		t.Errorf("the preview is\n%q\nthe run is\n%q", preview, run)
	}
	if !slices.Contains(x.Run(Version{Flavor: GNU, Major: 3, Minor: 2}).Args, "--info=progress2") {
		t.Error("rsync 3.2 does not get --info=progress2")
	}
}

func TestParseRemote(t *testing.T) {
	for text, want := range map[string]Remote{
		"gpu1:p":                   {Host: "gpu1", Path: "p"},
		"root@1.2.3.4:/a/b/":       {User: "root", Host: "1.2.3.4", Path: "/a/b"},
		"u@[2001:db8::1]:/p":       {User: "u", Host: "2001:db8::1", Path: "/p"},
		"[::1]:p":                  {Host: "::1", Path: "p"},
		"under_score.example.org:": {Host: "under_score.example.org"},
	} {
		got, problem := ParseRemote(text, 0)
		if got != want || (problem != nil) != (want.Path == "") {
			t.Errorf("%s is %+v, %v; want %+v", text, got, problem, want)
		}
	}
	for text, code := range map[string]string{
		"gpu1": "sync.host", ":p": "sync.host", "@h:p": "sync.host", "u@:p": "sync.host", "-oProxyCommand=x:p": "sync.host", "u@-x:p": "sync.host", "-u@h:p": "sync.host",
		"h:-p": "sync.path", "h:~/p": "sync.path", "h:a b": "sync.path", "h:$(x)": "sync.path", "h::module": "sync.path", "h:~/../p": "sync.path", "h:./-p": "sync.path", "h:a b/../p": "sync.path", "rsync://h/p": "sync.path", "h:": "sync.path",
		"2001:db8::1:p": "sync.path", "[fe80::1%eth0]:p": "sync.host", "[1::2::3]:p": "sync.host", "root@ssh.runpod.io:/p": "sync.proxy", "SSH.runpod.io:p": "sync.proxy", "a@b@c:p": "sync.host",
	} {
		if f, problem := ParseRemote(text, 0); problem == nil || problem.Code != code {
			t.Errorf("%s is parsed as %+v, %v; want %s", text, f, problem, code)
		}
	}
}

func TestCheck(t *testing.T) {
	good := Transfer{Remote: testRemote(), Path: "data/processed", File: "sub/a.jsonl", SSH: SSH{Identity: "/home/me/.ssh/id_ed25519"}}
	if p := good.Check(); p != nil {
		t.Fatal(p)
	}
	for name, spoil := range map[string]func(*Transfer){
		"a path with non-ASCII letters": func(x *Transfer) { x.Path = "data/日本" },
		"a file outside the folder":     func(x *Transfer) { x.File = "../a" },
		"an absolute file":              func(x *Transfer) { x.File = "/etc/passwd" },
		"a file that is not clean":      func(x *Transfer) { x.File = "a/../../b" },
		"a file with a space":           func(x *Transfer) { x.File = "a b" },
		"the folder itself":             func(x *Transfer) { x.File = "." },
		"a key with a space":            func(x *Transfer) { x.SSH.Identity = "/home/John Doe/.ssh/id" },
		"a key that is an option":       func(x *Transfer) { x.SSH.Identity = "-oProxyCommand=x" },
		"a configuration in quotes":     func(x *Transfer) { x.SSH.Config = "/a'b" },
		"a backup folder":               func(x *Transfer) { x.BackupDir = "../$(x)" },
		"a port":                        func(x *Transfer) { x.Remote.Port = 70000 },
	} {
		x := good
		spoil(&x)
		if x.Check() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	six := Transfer{Remote: Remote{Host: "::1", Path: "p"}, Path: "d"}
	if six.Check() != nil || six.CheckLocal(Version{Flavor: OpenRsync}) == nil || six.CheckLocal(Version{Flavor: GNU, Major: 3}) != nil {
		t.Error("only openrsync must refuse an IPv6 address")
	}
}

// TestParseVersion uses recorded output of real programs.
func TestParseVersion(t *testing.T) {
	for file, want := range map[string]struct {
		text                   string
		total, secludes, delay bool
	}{
		"gnu-2.6.9": {"rsync 2.6.9", false, false, true}, "gnu-3.1.3": {"rsync 3.1.3", true, true, true},
		"gnu-3.2.7": {"rsync 3.2.7", true, true, true}, "gnu-3.5.0": {"rsync 3.5.0", true, true, true},
		"openrsync-29": {"openrsync (protocol 29)", false, false, true}, "openrsync-27": {"openrsync (protocol 27)", false, false, false},
	} {
		v := ParseVersion(read(t, "version/"+file+".txt"))
		if v.String() != want.text || v.HasTotalProgress() != want.total || v.HasSecludedArgs() != want.secludes || v.HasDelayUpdates() != want.delay {
			t.Errorf("%s is %s: total %v, -s %v, delay %v", file, v, v.HasTotalProgress(), v.HasSecludedArgs(), v.HasDelayUpdates())
		}
	}
	for text, want := range map[string]string{
		"": "an rsync of an unknown version", "rsync: not here": "an rsync of an unknown version",
		"rsync  version v3.4.2dev  protocol version 32": "rsync 3.4.2", "Welcome\nrsync  version 3.2  protocol version 31\n": "rsync 3.2.0",
	} {
		if got := ParseVersion(text).String(); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
	if got := (Version{}).String(); got != "no rsync" {
		t.Errorf("none is %q", got)
	}
}

// TestProgressOfEveryRsync parses the recorded output of real programs for the same folder,
// split into lines as command.Run does.
func TestProgressOfEveryRsync(t *testing.T) {
	for _, name := range []string{"gnu-3.5.0", "gnu-3.1.3", "gnu-2.6.9", "openrsync-29"} {
		m := Progress{Total: strings.HasPrefix(name, "gnu-3")}
		for _, line := range strings.FieldsFunc(read(t, "output/"+name+".txt"), func(r rune) bool { return r == '\r' || r == '\n' }) {
			m.Line(line)
		}
		slices.SortFunc(m.Changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
		want := []Change{{Path: "a.jsonl", Size: 2}, {Path: "b ünï.jsonl", Size: 2, New: true}, {Path: "d/big.bin", Size: 300000, New: true}, {Path: "in", Size: 7, New: true, Link: true}}
		if !slices.Equal(m.Changes, want) {
			t.Errorf("%s: changes %+v", name, m.Changes)
		}
		if len(m.Skipped) != 2 || m.Skipped[0].Path != "out" || m.Skipped[1].Path != "pipe" {
			t.Errorf("%s: left %+v", name, m.Skipped)
		}
		if got := m.Bytes(); got != 300_004 && (name != "openrsync-29" || got != 4) { // it reports the last file when it starts
			t.Errorf("%s: %d bytes", name, got)
		}
	}
}

func TestParseListEntry(t *testing.T) {
	when := time.Date(2026, 11, 27, 6, 16, 27, 0, time.UTC)
	for line, want := range map[string]ListEntry{
		"-rw-r--r--       300000 2026/11/27 06:16:27 big.jsonl":     {"big.jsonl", 300000, when, ""},
		"-rw-r--r--      300,000 2026/11/27 06:16:27 sub/a b":       {"sub/a b", 300000, when, ""},
		"lrwxrwxrwx            9 2026/11/27 06:16:27 in -> b.jsonl": {"in", 9, when, "b.jsonl"},
		"drwxr-xr-x         4096 2026/11/27 06:16:27 sub":           {},
		"Transfer starting: 6 files":                                {},
	} {
		if got, ok := ParseListEntry(line); got != want || ok != (want.Path != "") {
			t.Errorf("%q is %+v, %v", line, got, ok)
		}
	}
	for target, want := range map[string]bool{"x": false, "../x": false, "../../x": true, "/x": true, "../..": true, "..": false} {
		if got := (ListEntry{Path: "sub/l", Target: target}).Escapes(); got != want {
			t.Errorf("sub/l -> %s leads out: %v", target, got)
		}
	}
	if words := (Transfer{Remote: testRemote(), Path: "d", LocalDir: "d"}).List().Args; words[0] != "--list-only" || slices.Contains(words, verbose[1]) {
		t.Errorf("the arguments of List are %q", words)
	}
}

func TestParseProbe(t *testing.T) {
	s, problem := ParseProbe("reconcile-probe 1\nsystem Linux\nproject yes\nfolder yes\nsize 12\nrsync yes\nrsync  version 3.2.7  protocol version 31\nmade yes\ndisk /dev/with blank 1000 200 800 20% /\nend\n")
	want := ProbeResult{System: "Linux", Project: true, Dir: true, Made: true, Size: 12, Rsync: Version{GNU, 3, 2, 7, 31}, Free: 800 << 10}
	if problem != nil || s != want {
		t.Errorf("%+v, %v", s, problem)
	}
	s, problem = ParseProbe("reconcile-probe 1\nsystem Linux\nrsync no\n")
	if problem != nil || s.Rsync.Flavor != Absent || s.Project || s.Size != -1 || s.Free != -1 {
		t.Errorf("%+v, %v", s, problem)
	}
	for _, text := range []string{"", "This account is currently not available.\n", "hello\nreconcile-probe 1\nend\n"} {
		if _, problem := ParseProbe(text); problem == nil || problem.Code != "sync.shell" {
			t.Errorf("%q: %v", text, problem)
		}
	}
	for _, forbidden := range []string{"'", "!", `\`, "\n"} {
		if strings.Contains(probeScript, forbidden) {
			t.Errorf("the script has %q, which some login shells interpret in single quotes", forbidden)
		}
	}
}

// TestExplain uses recorded error output of ssh, rsync and scp.
func TestExplain(t *testing.T) {
	x := Transfer{Remote: testRemote()}
	for text, want := range map[string]string{
		"ssh: connect to host 127.0.0.1 port 1: Connection refused":                                                         "sync.refused",
		"ssh: Could not resolve hostname nope.invalid: Name or service not known":                                           "sync.unreachable",
		"ssh: Could not resolve hostname nope: nodename nor servname provided, or not known":                                "sync.unreachable",
		"ssh: connect to host 203.0.113.7 port 22: Connection timed out":                                                    "sync.unreachable",
		"ssh: connect to host 203.0.113.7 port 22: Operation timed out":                                                     "sync.unreachable",
		"No ED25519 host key is known for 127.0.0.1 and you have requested strict checking.\nHost key verification failed.": "sync.host-key",
		"@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.":                               "sync.host-key",
		"root@203.0.113.7: Permission denied (publickey).":                                                                  "sync.denied",
		"rsync: [receiver] write failed on \"/x\": No space left on device (28)\nrsync error: error in file IO (code 11)":   "sync.full",
		"bash: line 1: rsync: command not found\nrsync: connection unexpectedly closed (0 bytes received so far) [sender]":  "sync.no-rsync",
		"protocol version mismatch -- is your shell clean?":                                                                 "sync.shell",
		"rsync: connection unexpectedly closed (51 bytes received so far) [sender]":                                         "sync.lost",
		"client_loop: send disconnect: Broken pipe":                                                                         "sync.lost",
		"subsystem request failed on channel 0\nscp: Connection closed":                                                     "sync.no-sftp",
		"rsync: --delay-updates: unknown option":                                                                            "sync.option",
		"rsync: send_files failed to open \"/x/secret\": Permission denied (13)":                                            "sync.partial",
		"something else": "sync.partial",
	} {
		p := x.Explain("rsync", 23, strings.Split(text, "\n"))
		if p.Code != want || p.Found == "" || p.Hint == "" || strings.Contains(p.Hint, "%") {
			t.Errorf("%q is %s: %s, found %q, hint %q; want %s", text, p.Code, p.Summary, p.Found, p.Hint, want)
		}
	}
	if p := x.Explain("rsync", 23, []string{"REMOTE HOST IDENTIFICATION HAS CHANGED"}); !strings.Contains(p.Hint, "ssh-keygen -R '[203.0.113.7]:40022'") || !strings.Contains(p.Hint, "`ssh -p 40022 root@203.0.113.7`") {
		t.Errorf("the hint is %s", p.Hint)
	}
	given := Transfer{Remote: testRemote(), SSH: SSH{Identity: "/k/my key", Config: "/k/config"}}
	if p := given.Explain("rsync", 23, []string{"Host key verification failed."}); !strings.Contains(p.Hint, "`ssh -p 40022 -F /k/config -i '/k/my key' root@203.0.113.7`") {
		t.Errorf("with a key and a configuration the hint is %s", p.Hint)
	}
	if p := x.Explain("rsync", 11, []string{"<f+++++++++ 300000 no space left on device.jsonl", "  2,900,000 100%    8.71MB/s    0:00:00 (xfr#4, to-chk=0/5)"}); p.Code != "sync.io" || p.Found != "" {
		t.Errorf("a full disk without a message is %+v", p)
	}
	if p := x.Explain("scp", 1, []string{"x"}); p.Code != "sync.failed" || IsPartial("scp", 23) || !IsPartial("rsync", 24) {
		t.Errorf("a failed scp is %+v", p)
	}
}

func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// FuzzParsers tests that no parser panics, and that their results are within bounds.
func FuzzParsers(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.txt")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add("reconcile-probe 1\nsize 99999999999999999999\ndisk x 9223372036854775807 1%\n")
	f.Add(`>f+++++++++ 12 \#303\#274\#`)
	f.Fuzz(func(t *testing.T, text string) {
		if v := ParseVersion(text); v.Major < 0 || v.Protocol < 0 || v.String() == "" {
			t.Errorf("version %+v", v)
		}
		if s, _ := ParseProbe(text); s.Size < -1 || s.Free < -1 {
			t.Errorf("probe result %+v", s)
		}
		m := Progress{}
		for line := range strings.Lines(text) {
			m.Line(strings.TrimSuffix(line, "\n"))
		}
		for line := range strings.Lines(text) {
			if l, ok := ParseListEntry(strings.TrimSuffix(line, "\n")); ok && (l.Size < 0 || l.Path == "") {
				t.Errorf("listed %+v", l)
			}
		}
		for _, c := range m.Changes {
			if c.Size < 0 {
				t.Errorf("change %+v", c)
			}
		}
		if p := (Transfer{Remote: Remote{Host: "h", Path: "p"}}).Explain("rsync", 12, strings.Split(text, "\n")); p.Code == "" || p.Summary == "" {
			t.Errorf("explained as %+v", p)
		}
	})
}

// FuzzParseRemote tests that an accepted Remote is safe for a shell and for programs.
func FuzzParseRemote(f *testing.F) {
	for _, text := range []string{"root@1.2.3.4:/p", "[::1]:p", "-o:p", "u@h:a b", "h:~", "a@b@c:d", "h::m"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		far, problem := ParseRemote(text, 0)
		if problem != nil {
			return
		}
		if !utf8.ValidString(text) {
			t.Fatalf("%q is accepted", text)
		}
		for _, word := range []string{far.Login(), far.target(far.Path), far.Path} {
			if word == "" || word[0] == '-' || strings.ContainsFunc(word, func(r rune) bool {
				return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@._-/:[]", r)
			}) {
				t.Fatalf("%q becomes the argument %q", text, word)
			}
		}
	})
}
