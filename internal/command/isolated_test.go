package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestIsolatedProgramsInheritNoVariables(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"HOME", "USER", "TMPDIR", "XDG_CACHE_HOME", "PIP_INDEX_URL"} {
		t.Setenv(name, "/inherited")
	}
	r, err := Run(t.Context(), child("environment", Command{Isolated: dir, Env: []string{"MARK=1"}}))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(string(r.Stdout))
	for _, want := range []string{"HOME=" + dir + "/home", "TMPDIR=" + dir + "/tmp", "MARK=1", "PYTHONNOUSERSITE=1", "HF_HUB_OFFLINE=1"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing from %q", want, got)
		}
	}
	if strings.Contains(string(r.Stdout), "inherited") {
		t.Errorf("inherited: %s", r.Stdout)
	}
	for _, name := range []string{"home", "tmp"} {
		if list, err := os.ReadDir(filepath.Join(dir, name)); err != nil || len(list) > 0 {
			t.Errorf("%s holds %v, %v", name, list, err)
		}
	}
}

func TestIsolatedProgramsReachNoServerOfThisMachine(t *testing.T) {
	if !CanIsolate() {
		t.Skip("the kernel of this machine refuses network namespaces")
	}
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	connect := Command{Args: []string{server.Addr().String()}}
	if r, err := Run(t.Context(), child("connect", connect)); err != nil || string(r.Stdout) != "<nil>" {
		t.Fatalf("without isolation: %s, %v", r.Stdout, err)
	}
	connect.Isolated = t.TempDir()
	if r, err := Run(t.Context(), child("connect", connect)); err != nil || string(r.Stdout) == "<nil>" {
		t.Errorf("an isolated program reached the server: %v", err)
	}
	want := fmt.Sprint(os.Geteuid(), " ", os.Getegid())
	if r, err := Run(t.Context(), child("uid", connect)); err != nil || string(r.Stdout) != want {
		t.Errorf("its user and group are %s, want %s: %v", r.Stdout, want, err)
	}
}

// TestIsolatedFamiliesEnd checks that a namespace does not keep processes from being ended
// together.
func TestIsolatedFamiliesEnd(t *testing.T) {
	lock, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	var pid int
	var once sync.Once
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err = Run(ctx, child("family", Command{Isolated: t.TempDir(), Grace: 50 * time.Millisecond, Lock: lock, Line: func(_, line string) {
		if _, err := fmt.Sscanf(line, "grandchild %d", &pid); err == nil {
			once.Do(cancel)
		}
	}}))
	if !errors.Is(err, context.Canceled) || pid == 0 {
		t.Fatalf("got %v, grandchild %d", err, pid)
	}
	for range 100 {
		if ended(pid) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("the grandchild %d still runs", pid)
}

func TestStdinIsPassedOn(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		fmt.Fprint(w, "one\ntwo\n")
		w.Close()
	}()
	if result, err := Run(t.Context(), child("echo", Command{Stdin: r})); err != nil || string(result.Stdout) != "one\ntwo\n" {
		t.Errorf("got %q, %v", result.Stdout, err)
	}
	if result, err := Run(t.Context(), child("echo", Command{Stdin: strings.NewReader("three")})); err != nil || string(result.Stdout) != "three" {
		t.Errorf("got %q, %v", result.Stdout, err)
	}
}
