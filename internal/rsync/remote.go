package rsync

import (
	"net/netip"
	"path"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// A Remote is another machine and the project on it.
type Remote struct {
	User string `json:"user,omitempty"` // "" for the default of ssh
	Host string `json:"host"`           // a name, an alias of the ssh configuration, or an address
	Port int    `json:"port,omitempty"` // 0 for the default of ssh
	Path string `json:"path"`           // of the project: absolute, or relative to the remote home
}

// ParseRemote parses USER@HOST:PATH. USER@ is optional, and an IPv6 address is in brackets.
// A Remote without a problem is safe in the sense of Transfer.Check.
func ParseRemote(text string, port int) (Remote, *diag.Problem) {
	login, folder, ok := strings.Cut(text, ":")
	if at := strings.Index(text, "]:"); at >= 0 {
		login, folder, ok = text[:at+1], text[at+2:], true
	}
	if !ok {
		return Remote{}, refuse("sync.host", "the remote machine must be HOST:PATH or USER@HOST:PATH", text, "PATH is the project on that machine, such as root@HOST:/workspace/PROJECT")
	}
	if strings.HasPrefix(folder, "//") {
		return Remote{}, refuse("sync.path", "this is the address of an rsync daemon; sync uses ssh", text, "write USER@HOST:PATH")
	}
	r := ParseLogin(login)
	r.Port, r.Path = port, folder
	if p := r.check(); p != nil { // before Clean, which turns ~/../x into x
		return r, p
	}
	r.Path = path.Clean(r.Path)
	return r, r.check() // and after it: it turns ./-x into -x
}

// ParseLogin parses USER@HOST. Port and Path stay empty.
func ParseLogin(text string) Remote {
	r := Remote{Host: text}
	if user, host, ok := strings.Cut(text, "@"); ok && user != "" { // check refuses @HOST
		r.User, r.Host = user, host
	}
	if inner, ok := strings.CutPrefix(r.Host, "["); ok && strings.HasSuffix(inner, "]") {
		r.Host = strings.TrimSuffix(inner, "]")
	}
	return r
}

// Login returns USER@HOST for ssh.
func (r Remote) Login() string { return r.login(r.Host) }

func (r Remote) login(host string) string {
	if r.User == "" {
		return host
	}
	return r.User + "@" + host
}

// target returns a remote path for rsync and scp. An IPv6 address needs brackets.
func (r Remote) target(path string) string {
	host := r.Host
	if r.isIPv6() {
		host = "[" + host + "]"
	}
	return r.login(host) + ":" + path
}

// String returns the form that ParseRemote parses.
func (r Remote) String() string { return r.target(r.Path) }

func (r Remote) isIPv6() bool { return strings.Contains(r.Host, ":") }

// runPodProxy provides shells only.
const runPodProxy = "ssh.runpod.io"

// check refuses everything but a machine and a path.
func (r Remote) check() *diag.Problem {
	const hint = "use letters, digits and . - _; for anything else, add an alias to ~/.ssh/config: Host NAME"
	switch {
	case r.Host == "":
		return refuse("sync.host", "the host is missing", r.String(), "write HOST:PATH or USER@HOST:PATH")
	case r.isIPv6() && !isAddress(r.Host):
		return refuse("sync.host", "this is neither a host name nor an address", r.Host, "give a port with --port, or port: in the manifest")
	case !r.isIPv6() && !isWord(r.Host, "._-"):
		return refuse("sync.host", "this is not a host name", r.Host, hint)
	case r.User != "" && !isWord(r.User, "._-"):
		return refuse("sync.host", "this is not a user name", r.User, hint)
	case r.Port < 0 || r.Port > 65535:
		return refuse("sync.port", "a port must be a number from 1 to 65535", "", "")
	case strings.EqualFold(r.Host, runPodProxy):
		return refuse("sync.proxy", runPodProxy+" provides a shell and no file transfer", "it supports neither rsync nor scp",
			"expose TCP port 22 of the pod, and use the address of \"SSH over exposed TCP\": root@IP with its own --port (in the pod: $RUNPOD_PUBLIC_IP, $RUNPOD_TCP_PORT_22)")
	case r.Path == "":
		return refuse("sync.path", "the path of the remote project is missing", r.Login(), "write HOST:PATH, or path: in ssh of the host in the manifest")
	}
	return checkPath(r.Path)
}

// checkPath refuses a path that the remote shell could interpret.
func checkPath(p string) *diag.Problem {
	switch {
	case strings.HasPrefix(p, "~"):
		return refuse("sync.path", "a remote path must not begin with ~", p, "a relative path is relative to the remote home: HOST:"+strings.TrimLeft(p, "~/"))
	case !isWord(p, "._-/"):
		return refuse("sync.path", "a remote path must consist of letters, digits and / . - _, and must not begin with -", p, "rename the folder, or make a link to it on the remote machine")
	}
	return nil
}

func isAddress(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Zone() == ""
}

// isWord reports whether a text consists of ASCII letters, digits and marks, and is not an
// option.
func isWord(text, marks string) bool {
	return text != "" && text[0] != '-' && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"+marks) == ""
}
