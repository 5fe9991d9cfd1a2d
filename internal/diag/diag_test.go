package diag

import (
	"errors"
	"fmt"
	"testing"
)

func TestListSortsByPosition(t *testing.T) {
	var l List
	if l.Err() != nil || l.Len() != 0 {
		t.Fatal("an empty list is an error")
	}
	l.Add(nil)
	l.Add(&Problem{Pos: Pos{"m.yaml", 9, 1}, Summary: "second"})
	l.AddErr(fmt.Errorf("read it: %w", &Problem{Pos: Pos{"m.yaml", 2, 7}, Addr: "venv.local", Summary: "first", Found: "one\ntwo", Hint: "try"}))
	l.AddErr(errors.New("plain"))
	got := l.Err().Error()
	want := "plain\nm.yaml:2:7: venv.local: first\n  found: one\n         two\n  hint: try\nm.yaml:9:1: second"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if n := len(Problems(fmt.Errorf("all: %w", l.Err()))); n != 3 {
		t.Errorf("%d problems inside the error, want 3", n)
	}
}

func TestNoErrorHasNoProblems(t *testing.T) {
	if Problems(nil) != nil {
		t.Error("nil has problems")
	}
}
