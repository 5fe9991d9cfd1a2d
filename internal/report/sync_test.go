package report_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/rsync"
)

// transfer is a push with every field, and names that could control a terminal.
func transfer() report.Transfer {
	free := int64(1_000_000)
	return report.Transfer{
		Name: "processed", Push: true, Path: "data/processed", Host: "gpu1 (root@HOST:/workspace/p)", Remote: "root@HOST:/workspace/p", Port: 40022, Free: &free, Seconds: 4.25,
		Files: []rsync.Change{{Path: "train.jsonl", Size: 1_234_567_890, New: true}, {Path: "a\x1b[31m\u202eb.jsonl", Size: 12}, {Path: "latest", Size: 11, New: true, Link: true}},
		Left:  []rsync.Skipped{{Path: "out", Why: "a link that leads out of the folder, to /etc/\x1b]0;x\x07"}},
	}
}

func TestTransfer(t *testing.T) {
	pull := transfer()
	pull.Push, pull.Replaced, pull.Path = false, "/store/projects/mac/replaced/adapters/20261127T061500Z", "adapters"
	page(t, "sync", func(b *bytes.Buffer, o report.Options) error {
		for _, x := range []report.Transfer{transfer(), pull, {Path: "adapters"}} {
			if err := report.WritePreview(b, x, o); err != nil {
				return err
			}
			if err := report.WriteTransfer(b, x, o); err != nil {
				return err
			}
		}
		return report.WriteSync(b, report.SyncStatus{
			Entries: []report.SyncEntry{{Name: "processed", Push: true, Path: "data/processed", Files: 3, Bytes: 1_234_567_890}, {Name: "adapters", Path: "adapters", Absent: true}},
			Hosts:   []report.SyncHost{{Name: "gpu1", Remote: "root@HOST:/workspace/p", Port: 40022}, {Name: "gpu2", Remote: "HOST", Problem: "the path of the remote project is missing"}},
		}, o)
	})
	var b bytes.Buffer
	pull.Problem = &diag.Problem{Code: "sync.partial", Summary: "some files were not transferred; the others were"}
	if err := report.TransferJSON(&b, pull); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/sync.json", b.Bytes())
}

// TestWriteCommands checks that commands are exact in a pipe and escaped on a terminal.
func TestWriteCommands(t *testing.T) {
	calls := []rsync.Call{{Program: "mkdir", Args: []string{"-p", "a\x1b[2J"}}, {Program: "mv", Args: []string{"-f", "a", "b c"}}}
	for terminal, want := range map[bool]string{false: "mkdir -p 'a\x1b[2J' &&\nmv -f a 'b c'\n", true: "mkdir -p 'a\\x1b[2J' &&\nmv -f a 'b c'\n"} {
		var b bytes.Buffer
		if err := report.WriteCommands(&b, calls, report.Options{Terminal: terminal, Width: 80}); err != nil || b.String() != want {
			t.Errorf("on a terminal %v: %q, %v, want %q", terminal, b.String(), err, want)
		}
	}
}

// TestTransferMeter checks the live line, and the lines without a terminal.
func TestTransferMeter(t *testing.T) {
	for name, o := range map[string]report.Options{"pipe": {}, "80": {Terminal: true, Width: 80}} {
		synctest.Test(t, func(t *testing.T) {
			var b bytes.Buffer
			tell, stop := report.TransferMeter(&b, o, "push data\x1b to gpu1")
			time.Sleep(2500 * time.Millisecond) // ssh may be asking for a password
			if b.Len() > 0 {
				t.Errorf("%s: %q is printed before the first byte", name, b.String())
			}
			for n := range int64(10) {
				tell((n+1)*2_000_000, int(n)/4)
				time.Sleep(2 * time.Second)
			}
			stop()
			golden.Check(t, "testdata/transfer."+name+".txt", []byte(strings.ReplaceAll(b.String(), "\r", "\\r\n")))
		})
	}
}
