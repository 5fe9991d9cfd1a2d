package wheels

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestCheckAfterPowerFailure checks that an entry which was not made durable is compared by
// content after the machine was started again, and only then, and once.
func TestCheckAfterPowerFailure(t *testing.T) {
	e := full.mustUnpack(t)
	name := e.FilePath("demo/tool")
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	zero := func() { // what a lost write leaves: size and time of the file without its content
		if err := os.WriteFile(name, make([]byte, info.Size()), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, time.Time{}, info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	zero()
	if err := e.Check(t.Context()); err != nil {
		t.Errorf("in the same boot: %v", err)
	}
	e.Boot = "another"
	if _, ok := errors.AsType[*ChangedError](e.Check(t.Context())); !ok {
		t.Error("lost content was not found")
	}
	if err := os.WriteFile(name, content, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := e.Check(t.Context()); err != nil {
		t.Errorf("intact content: %v", err)
	}
	if _, err := os.Stat(filepath.Join(e.Dir, durableFile)); err != nil {
		t.Errorf("it is not marked: %v", err)
	}
	zero()
	if err := e.Check(t.Context()); err != nil {
		t.Errorf("marked as durable, it was read again: %v", err)
	}
}
