package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// maxJournal is the largest state file in bytes. 100,000 resources take some 40 MB, and an
// apply of all of them doubles the file before it is compacted.
const maxJournal = 128 << 20

// Read returns the state in the journal at path, without a lock and without writing.
// The state of a missing journal is empty. The error for a damaged journal, or one of a
// newer version, is a *diag.Problem.
func Read(path string) (*State, error) {
	text, err := rawfile.ReadFile(path, maxJournal, rawfile.NoFollow)
	if errors.Is(err, fs.ErrNotExist) {
		return empty(), nil
	}
	if err != nil {
		return nil, unreadableProblem(path, err)
	}
	p, err := parse(path, text)
	if err != nil {
		return nil, err
	}
	return p.state, nil
}

func empty() *State {
	return &State{entries: map[resources.Addr]Entry{}, pending: map[resources.Addr]Intent{}}
}

// parsed is a parsed journal.
type parsed struct {
	state       *State
	last        sum // of the last valid line
	intactBytes int // bytes of valid lines
	lines       int
}

// parse parses a whole journal. Only its last line may be invalid: a write that was not
// synced may leave any bytes there.
func parse(path string, text []byte) (*parsed, error) {
	p := &parsed{state: empty()}
	if len(text) == 0 {
		return nil, damagedProblem(path, 1, "the file is empty")
	}
	for rest := text; len(rest) > 0; {
		row, after, whole := bytes.Cut(rest, []byte("\n"))
		l, s, err := decode(row, p.last)
		intact := err == nil && whole
		if intact {
			err = p.check(l)
		}
		switch {
		case p.lines == 0 && isNewer(row):
			return nil, newerProblem(path)
		case err == nil && intact:
		case p.lines == 0:
			return nil, damagedProblem(path, 1, "the first line is not the header of a state file")
		case len(after) == 0 && !intact:
			p.state.Torn = fmt.Sprintf("line %d of %s is incomplete; its event is unknown", p.lines+1, path)
			return p, nil
		default:
			return nil, damagedProblem(path, p.lines+1, err.Error())
		}
		p.state.fold(l)
		p.state.Serial, p.last = l.Seq, s
		p.intactBytes += len(row) + 1
		p.lines++
		rest = after
	}
	return p, nil
}

// check returns an error unless l continues the lines before it.
func (p *parsed) check(l *line) error {
	if p.lines == 0 {
		if l.Kind != kindHeader || l.Lineage == "" || l.Seq == 0 {
			return errors.New("it is not a header")
		}
		p.state.Lineage = l.Lineage
		return nil
	}
	if err := l.checkNames(); err != nil {
		return err
	}
	switch {
	case l.Lineage != p.state.Lineage:
		return fmt.Errorf("it belongs to another state file, %s", l.Lineage)
	case l.Seq != p.state.Serial+1:
		return fmt.Errorf("its number is %d, not %d", l.Seq, p.state.Serial+1)
	case l.Kind == kindHeader:
		return errors.New("it is a second header")
	}
	return nil
}

// isNewer reports whether a first line has a newer format version. Its checksum does not
// matter.
func isNewer(row []byte) bool {
	var head struct {
		Version int `json:"version"`
	}
	return json.Unmarshal(row, &head) == nil && head.Version > Version
}

func newerProblem(path string) error {
	return &diag.Problem{
		Code: "state.newer", Pos: diag.Pos{File: path},
		Summary: "a newer reconcile wrote this state file; it was not changed",
		Hint:    "use that version here, or a newer one",
	}
}

// unreadableProblem returns the problem of a state file that is not a regular file, or too
// large; for other errors, such as a missing permission, the error itself.
func unreadableProblem(path string, err error) error {
	e, ok := errors.AsType[*rawfile.Error](err)
	if !ok {
		return err
	}
	return &diag.Problem{
		Code: "state.unreadable", Pos: diag.Pos{File: path},
		Summary: "the state file cannot be read; nothing was changed", Found: "it " + e.Reason(), Hint: withoutState(path),
	}
}

// withoutState is the hint to continue without a state file.
func withoutState(path string) string {
	return "continue without it: mv " + resources.ShellQuote(path) + " " + resources.ShellQuote(path+".damaged") + "\n" +
		"everything installed stays, and the next plan reads the machine; resources that are no longer in the manifest will not be pruned.\n" +
		"An older state may be in " + path + ".prev"
}

func damagedProblem(path string, number int, found string) error {
	return &diag.Problem{
		Code: "state.damaged", Pos: diag.Pos{File: path, Line: number},
		Summary: "the state file is damaged; nothing was read from it and nothing was changed",
		Found:   found,
		Hint:    withoutState(path),
	}
}
