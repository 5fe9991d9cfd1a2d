package indexerror

import (
	"slices"
	"strings"
	"testing"
)

const (
	zeros = "0000000000000000000000000000000000000000000000000000000000000000"
	other = "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274"

	uvNet    = "Using Python 3.10.13 environment at: v\nerror: Request failed after 1 retry in 1.7s\n  cause: Failed to fetch: http://127.0.0.1:1/simple/six/\n  cause: tcp connect error\n"
	uvAbsent = "Using Python 3.10.13 environment at: v\nerror: No solution found when resolving dependencies\n  cause: Because x was not found in the package registry\n"
	retryNet = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)': /simple/six/\nERROR: Could not find a version that satisfies the requirement six==1.17.0 (from versions: none)\nERROR: No matching distribution found for six==1.17.0\n"
)

func TestUnreachable(t *testing.T) {
	for output, want := range map[string]string{
		uvNet:    "Failed to fetch: http://127.0.0.1:1/simple/six/: tcp connect error",
		retryNet: "Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)': /simple/six/",
		uvAbsent: "", "": "",
	} {
		if got, ok := Unreachable(output); got != want || ok != (want != "") {
			t.Errorf("got %q, want %q from\n%s", got, want, output)
		}
	}
}

// urllib3 prints these lines, here in pip 23.0 to 25.3; conda prints the same.
func TestUnreachableRetry(t *testing.T) {
	const retrying = "WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after connection broken by "
	for line, want := range map[string]string{
		`'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f6e4a405420>: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/uv/`:                "Failed to establish a new connection: [Errno -3] Temporary failure in name resolution: /simple/uv/",
		`'ProxyError('Cannot connect to proxy.', NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f6e>: Failed to establish a new connection: [Errno 111] Connection refused'))': /simple/uv/`: "Failed to establish a new connection: [Errno 111] Connection refused: /simple/uv/",
		`'SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1007)'))': /simple/uv/`:                                                            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1007): /simple/uv/",
		`'ReadTimeoutError("HTTPSConnectionPool(host='host', port=443): Read timed out. (read timeout=15)")': /simple/uv/`:                                                                                                     "HTTPSConnectionPool(host='host', port=443): Read timed out. (read timeout=15): /simple/uv/",
		`'ConnectTimeoutError(<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>, 'Connection to host timed out. (connect timeout=15)')': /simple/uv/`:                                                            "Connection to host timed out. (connect timeout=15): /simple/uv/",
		`'ProtocolError('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))': /simple/uv/`:                                                                                             "Remote end closed connection without response: /simple/uv/",
	} {
		if got, ok := Unreachable(retrying + line + "\nERROR: No matching distribution found for uv\n"); got != want || !ok {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestFindHashMismatch(t *testing.T) {
	want := HashMismatch{"tiny-1.0-pyh0_0", zeros, other}
	for _, output := range []string{
		"InstallerError: failed to fetch tiny-1.0-pyh0_0.tar.bz2\nCaused by: failed to interact with the package cache layer.\n" +
			"Caused by: hash mismatch when extracting http://127.0.0.1:8765/noarch/tiny-1.0-pyh0_0.tar.bz2 to /c/pkgs/.tiny-1.0-pyh0_0IK: expected " + zeros + ", got " + other + ", total size 428 bytes\n",
		"hash mismatch: /channel/noarch/tiny-1.0-pyh0_0.conda has sha256 " + other + ", the lock has " + zeros + "\n",
	} {
		if got, ok := FindHashMismatch(output); !ok || got != want {
			t.Errorf("got %v from\n%s", got, output)
		}
	}
	for _, output := range []string{uvNet, retryNet, uvAbsent, ""} {
		if got, ok := FindHashMismatch(output); ok {
			t.Errorf("got %v from\n%s", got, output)
		}
	}
	rattlerNet := "InstallerError: failed to fetch python-3.10.13-h0.tar.bz2\nCaused by: failed to interact with the package cache layer.\n" +
		"Caused by: Request failed after 3 retries\nCaused by: error sending request for url (http://127.0.0.1:1/x)\nCaused by: Connection refused (os error 111)\n"
	if !FromConda(rattlerNet) || FromConda(uvNet) || FromConda(retryNet) {
		t.Error("FromConda is wrong for the output of py-rattler, uv or urllib3")
	}
	if got, _ := Unreachable(rattlerNet); got != "InstallerError: failed to fetch python-3.10.13-h0.tar.bz2: Connection refused (os error 111)" {
		t.Errorf("got %q", got)
	}
}

func TestMessage(t *testing.T) {
	got := Message(strings.Split(strings.TrimSuffix(uvAbsent, "\n"), "\n"))
	if want := []string{"error: No solution found when resolving dependencies", "  cause: Because x was not found in the package registry"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := Message(slices.Repeat([]string{"x"}, 40)); len(got) != maxLines {
		t.Errorf("%d lines", len(got))
	}
}

func FuzzOutput(f *testing.F) {
	for _, s := range []string{uvNet, uvAbsent, retryNet} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		Unreachable(s)
		if m, ok := FindHashMismatch(s); ok && m.Package == "" {
			t.Errorf("FindHashMismatch(%q) returns no package", s)
		}
		if got := Message(strings.Split(s, "\n")); len(got) > maxLines {
			t.Errorf("%d lines", len(got))
		}
	})
}
