package rsync

import (
	"net/netip"
	"path"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
)

// A Far is another machine and the project on it.
type Remote struct {
	User string `json:"user,omitempty"` // "" for ssh's own choice
	Host string `json:"host"`           // a name, an alias of ssh's configuration, an address
	Port int    `json:"port,omitempty"` // 0 for ssh's own choice
	Path string `json:"path"`           // of the project; relative to the home of the user over there, or absolute
}

// ParseFar reads USER@HOST:PATH, where USER@ may be missing and an IPv6 address stands in
// brackets. What it returns without a problem is safe as Check of a Transfer means it.
func ParseRemote(text string, port int) (Remote, *diag.Problem) {
	login, folder, ok := strings.Cut(text, ":")
	if at := strings.Index(text, "]:"); at >= 0 {
		login, folder, ok = text[:at+1], text[at+2:], true
	}
	if !ok {
		return Remote{}, refuse("sync.host", "a machine is written HOST:PATH or USER@HOST:PATH", text, "PATH is the project over there, such as root@HOST:/workspace/PROJECT")
	}
	if strings.HasPrefix(folder, "//") {
		return Remote{}, refuse("sync.path", "this is the address of a daemon, and sync goes by ssh", text, "write USER@HOST:PATH")
	}
	f := ParseLogin(login)
	f.Port, f.Path = port, folder
	if p := f.check(); p != nil { // as it was typed: of ~/../x would remain x
		return f, p
	}
	f.Path = path.Clean(f.Path)
	return f, f.check() // of ./-x remains -x
}

// Login reads USER@HOST; the rest of the Far is empty.
func ParseLogin(text string) Remote {
	f := Remote{Host: text}
	if user, host, ok := strings.Cut(text, "@"); ok {
		f.User, f.Host = user, host
		if user == "" {
			f.Host = text // keeps the stray @, which check refuses
		}
	}
	if inner, ok := strings.CutPrefix(f.Host, "["); ok && strings.HasSuffix(inner, "]") {
		f.Host = strings.TrimSuffix(inner, "]")
	}
	return f
}

// Login returns USER@HOST for ssh.
func (f Remote) Login() string {
	if f.User == "" {
		return f.Host
	}
	return f.User + "@" + f.Host
}

// word names a place over there for rsync and scp. An address with colons needs
// brackets, or its first part would be the host.
func (f Remote) target(place string) string {
	host := f.Host
	if f.isIPv6() {
		host = "[" + host + "]"
	}
	if f.User != "" {
		host = f.User + "@" + host
	}
	return host + ":" + place
}

// String names the machine and the project as ParseFar reads it.
func (f Remote) String() string { return f.target(f.Path) }

func (f Remote) isIPv6() bool { return strings.Contains(f.Host, ":") }

// check refuses what could be anything but a machine and a path.
func (f Remote) check() *diag.Problem {
	const hint = "letters, digits and . - _ are taken; anything else can be an alias: a Host of ~/.ssh/config"
	switch {
	case f.Host == "":
		return refuse("sync.host", "there is no machine", f.String(), "write HOST:PATH or USER@HOST:PATH")
	case f.isIPv6() && !isAddress(f.Host):
		return refuse("sync.host", "this is neither the name of a machine nor its address", f.Host, "a port is given by --port, or by port: in the manifest")
	case !f.isIPv6() && !isWord(f.Host, "._-"):
		return refuse("sync.host", "this is not the name of a machine", f.Host, hint)
	case f.User != "" && !isWord(f.User, "._-"):
		return refuse("sync.host", "this is not the name of a user", f.User, hint)
	case f.Port < 0 || f.Port > 65535:
		return refuse("sync.port", "a port is a number from 1 to 65535", "", "")
	case strings.EqualFold(f.Host, runPodProxy):
		return proxy()
	case f.Path == "":
		return refuse("sync.path", "the path of the project over there is missing", f.Login(), "write HOST:PATH, or path: in ssh of the host in the manifest")
	}
	return checkPath(f.Path)
}

// runPodProxy takes shells alone.
const runPodProxy = "ssh.runpod.io"

func proxy() *diag.Problem {
	return &diag.Problem{
		Code: "sync.proxy", Summary: runPodProxy + " gives a shell and carries no files",
		Found: "it knows neither rsync nor scp",
		Hint:  "expose TCP port 22 of the pod, and take the address of \"SSH over exposed TCP\": root@IP with its own --port (in the pod: $RUNPOD_PUBLIC_IP, $RUNPOD_TCP_PORT_22)",
	}
}

// checkPath refuses a path that is read by a shell over there and not a plain word.
func checkPath(p string) *diag.Problem {
	switch {
	case strings.HasPrefix(p, "~"):
		return refuse("sync.path", "a path over there does not begin with ~", p, "a path without / in front is relative to the home over there: HOST:"+strings.TrimLeft(p, "~/"))
	case !isWord(p, "._-/"):
		return refuse("sync.path", "a path over there may hold letters, digits and / . - _ alone, and does not begin with -", p, "another shell reads it: rename the folder, or make a link to it over there")
	}
	return nil
}

func isAddress(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Zone() == ""
}

// isWord reports whether a text is made of ASCII letters, digits and marks, and is no
// option.
func isWord(text, marks string) bool {
	if text == "" || text[0] == '-' {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(marks, c) < 0 {
			return false
		}
	}
	return true
}

func refuse(code, summary, found, hint string) *diag.Problem {
	return &diag.Problem{Code: code, Summary: summary, Found: found, Hint: hint}
}
