package cli

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A farMachine is a real sshd on loopback with keys and a configuration of its own, and
// a folder that stands for the project over there.
type farMachine struct {
	t       *testing.T
	dir     string
	project string
	config  string // for ssh -F; knows the machine as "far"
	port    int
	pid     int // of the sshd
}

// sshdLines are what an sshd of this test is told beside where it listens and whom it
// lets in.
const sshdLines = `StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PidFile none
Subsystem sftp internal-sftp
MaxStartups 100
`

// newFar starts a machine, or skips the test where that is not possible. more is added to
// the configuration of its sshd.
func newFar(t *testing.T, more ...string) *farMachine {
	t.Helper()
	var sshd string
	for _, name := range []string{"ssh", "scp", "ssh-keygen", "rsync"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("no %s on this machine", name)
		}
	}
	for _, place := range []string{"/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/lib/ssh/sshd"} {
		if _, err := os.Stat(place); err == nil {
			sshd = place
		}
	}
	if sshd == "" {
		t.Skip("no sshd on this machine")
	}
	f := &farMachine{t: t, dir: must(filepath.EvalSymlinks(t.TempDir()))}
	f.project = filepath.Join(f.dir, "project")
	check(t, os.Mkdir(f.project, 0o755))
	for _, key := range []string{"host", "user"} {
		out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f.at(key)).CombinedOutput()
		if err != nil {
			t.Skipf("ssh-keygen makes no key: %v %s", err, out)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	f.port = listener.Addr().(*net.TCPAddr).Port
	check(t, listener.Close())
	f.write("sshd_config", fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\n%s%s\n",
		f.port, f.at("host"), f.at("user.pub"), sshdLines, strings.Join(more, "\n")))
	f.write("known_hosts", fmt.Sprintf("[127.0.0.1]:%d %s", f.port, must(os.ReadFile(f.at("host.pub")))))
	f.config = f.at("ssh_config")
	f.write("ssh_config", fmt.Sprintf("Host far\n  HostName 127.0.0.1\n  Port %d\n  User %s\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  LogLevel ERROR\n",
		f.port, must(user.Current()).Username, f.at("user"), f.at("known_hosts")))
	f.listen(sshd)
	return f
}

// separation is a folder that an sshd of root asks for, and that the service of a system
// makes when it starts. Where no service did, the sshd gets one that it alone sees.
const separation = "/run/sshd"

// listen starts the sshd and waits until it lets us in.
func (f *farMachine) listen(sshd string) {
	f.t.Helper()
	var said guarded
	words := []string{sshd, "-D", "-e", "-f", f.at("sshd_config")}
	if _, err := os.Stat(separation); err != nil && os.Geteuid() == 0 {
		words = append([]string{"unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /run && mkdir -m 755 " + separation + ` && exec "$@"`, "sh"}, words...)
	}
	daemon := exec.Command(words[0], words[1:]...)
	daemon.Stderr = &said
	check(f.t, daemon.Start())
	f.pid = daemon.Process.Pid
	ended := make(chan struct{})
	go func() {
		_ = daemon.Wait()
		close(ended)
	}()
	f.t.Cleanup(func() {
		_ = daemon.Process.Kill()
		<-ended
	})
	for range 100 {
		select {
		case <-ended:
			f.t.Skipf("sshd does not start here: %s", said.String())
		default:
		}
		if c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", f.port), time.Second); err == nil {
			c.Close()
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if out, err := exec.Command("ssh", "-F", f.config, "far", "echo in").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("in")) {
		f.t.Skipf("this sshd lets nobody in: %v %s %s", err, out, said.String())
	}
}

func (f *farMachine) at(name string) string { return filepath.Join(f.dir, name) }

func (f *farMachine) write(name, text string) {
	f.t.Helper()
	check(f.t, os.WriteFile(f.at(name), []byte(text), 0o600))
}

// words are those of a command that names this machine: sync push NAME far:PROJECT ….
func (f *farMachine) words(verb, name string, more ...string) []string {
	return append([]string{"sync", verb, name, "far:" + f.project, "--ssh-config", f.config}, more...)
}

// traveller is a site whose manifest says what travels, and a machine to travel to.
func traveller(t *testing.T, more ...string) (*site, *farMachine) {
	t.Helper()
	far := newFar(t, more...)
	s := newSite(t, "")
	s.write("manifest.yaml", "version: 1\nproject: site\nsync:\n  processed: {push: data/processed}\n  adapters: {pull: adapters}\n")
	return s, far
}

// treeOf is what is below a folder: names of files with the digest of their content, of
// links with where they lead.
func treeOf(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	check(t, filepath.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := must(filepath.Rel(folder, p))
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			found[name] = "-> " + must(os.Readlink(p))
		case d.Type().IsRegular():
			found[name] = fmt.Sprintf("%x", sha256.Sum256(must(os.ReadFile(p))))
		default:
			found[name] = d.Type().String()
		}
		return nil
	}))
	return found
}

// put writes a file below a folder, whatever folders it needs.
func put(t *testing.T, file, text string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(file), 0o755))
	check(t, os.WriteFile(file, []byte(text), 0o644))
}

// children returns the processes that this machine runs now, by number, with their words:
// all that its sshd has started.
func (f *farMachine) children() map[int]string {
	f.t.Helper()
	out, err := exec.Command("ps", "-eo", "pid=,ppid=,args=").Output()
	check(f.t, err)
	ours, words := map[int]bool{f.pid: true}, map[int]string{}
	for grown := true; grown; {
		grown = false
		for line := range strings.Lines(string(out)) {
			fields := strings.Fields(line)
			pid, _ := strconv.Atoi(fields[0])
			parent, _ := strconv.Atoi(fields[1])
			if ours[parent] && !ours[pid] {
				ours[pid], words[pid], grown = true, strings.Join(fields[2:], " "), true
			}
		}
	}
	return words
}

// kill ends the processes of this machine whose words hold one of the names.
func (f *farMachine) kill(names ...string) {
	for pid, words := range f.children() {
		for _, name := range names {
			if strings.Contains(words, name) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

// rests waits until nobody is at work over there.
func (f *farMachine) rests() {
	f.t.Helper()
	for range 200 {
		if len(f.children()) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	f.t.Errorf("still at work over there: %v", f.children())
}
