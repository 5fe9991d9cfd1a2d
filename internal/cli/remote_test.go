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

// A remoteMachine is an sshd on loopback with its own keys and configuration, and a
// directory that is its project.
type remoteMachine struct {
	t       *testing.T
	dir     string
	project string
	config  string // for ssh -F; has the machine as "remote"
	port    int
	pid     int // of the sshd
}

// sshdOptions is the part of the configuration of an sshd that is the same in all tests.
const sshdOptions = `StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PidFile none
Subsystem sftp internal-sftp
MaxStartups 100
`

// newRemote starts an sshd, or skips the test if that is not possible. options are added to
// its configuration.
func newRemote(t *testing.T, options ...string) *remoteMachine {
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
	f := &remoteMachine{t: t, dir: must(filepath.EvalSymlinks(t.TempDir()))}
	f.project = filepath.Join(f.dir, "project")
	check(t, os.Mkdir(f.project, 0o755))
	for _, key := range []string{"host", "user"} {
		out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f.path(key)).CombinedOutput()
		if err != nil {
			t.Skipf("ssh-keygen fails: %v %s", err, out)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	f.port = listener.Addr().(*net.TCPAddr).Port
	check(t, listener.Close())
	f.write("sshd_config", fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\n%s%s\n",
		f.port, f.path("host"), f.path("user.pub"), sshdOptions, strings.Join(options, "\n")))
	f.write("known_hosts", fmt.Sprintf("[127.0.0.1]:%d %s", f.port, must(os.ReadFile(f.path("host.pub")))))
	f.config = f.path("ssh_config")
	f.write("ssh_config", fmt.Sprintf("Host remote\n  HostName 127.0.0.1\n  Port %d\n  User %s\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  LogLevel ERROR\n",
		f.port, must(user.Current()).Username, f.path("user"), f.path("known_hosts")))
	f.startSSHD(sshd)
	return f
}

// privsepDir must exist for an sshd of root. Its service creates it at boot; without a
// service it is created in a mount namespace.
const privsepDir = "/run/sshd"

// listen starts the sshd and waits until it accepts a login.
func (f *remoteMachine) startSSHD(sshd string) {
	f.t.Helper()
	var stderr syncBuffer
	words := []string{sshd, "-D", "-e", "-f", f.path("sshd_config")}
	if _, err := os.Stat(privsepDir); err != nil && os.Geteuid() == 0 {
		words = append([]string{"unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /run && mkdir -m 755 " + privsepDir + ` && exec "$@"`, "sh"}, words...)
	}
	daemon := exec.Command(words[0], words[1:]...)
	daemon.Stderr = &stderr
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
			f.t.Skipf("sshd does not start: %s", stderr.String())
		default:
		}
		if c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", f.port), time.Second); err == nil {
			c.Close()
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if out, err := exec.Command("ssh", "-F", f.config, "remote", "echo in").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("in")) {
		f.t.Skipf("this sshd accepts no login: %v %s %s", err, out, stderr.String())
	}
}

func (f *remoteMachine) path(name string) string { return filepath.Join(f.dir, name) }

func (f *remoteMachine) write(name, text string) {
	f.t.Helper()
	check(f.t, os.WriteFile(f.path(name), []byte(text), 0o600))
}

// words returns the arguments of sync push or pull for this machine.
func (f *remoteMachine) syncArgs(verb, name string, more ...string) []string {
	return append([]string{"sync", verb, name, "remote:" + f.project, "--ssh-config", f.config}, more...)
}

// newSyncSite returns a site whose manifest has two entries of sync, and a remote machine.
func newSyncSite(t *testing.T, sshdOptions ...string) (*site, *remoteMachine) {
	t.Helper()
	remote := newRemote(t, sshdOptions...)
	s := newSite(t, "")
	s.write("manifest.yaml", "version: 1\nproject: site\nsync:\n  processed: {push: data/processed}\n  adapters: {pull: adapters}\n")
	return s, remote
}

// hashTree returns the files below a directory: names with the digest of their content, of
// links with their target.
func hashTree(t *testing.T, folder string) map[string]string {
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

// children returns the descendants of the sshd: their arguments by process ID.
func (f *remoteMachine) descendants() map[int]string {
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

// kill kills the descendants of the sshd whose arguments contain one of the names.
func (f *remoteMachine) kill(names ...string) {
	for pid, words := range f.descendants() {
		for _, name := range names {
			if strings.Contains(words, name) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

// waitIdle waits until the sshd has no descendants.
func (f *remoteMachine) waitIdle() {
	f.t.Helper()
	for range 200 {
		if len(f.descendants()) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	f.t.Errorf("processes of the sshd are still running: %v", f.descendants())
}
