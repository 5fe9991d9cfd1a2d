package pyenv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/rawfile"
)

// EncodeBytecodeList returns the text of layout.BytecodeList: a line "<sha256> <path>" for
// each file, by path. The paths are relative to the generation.
func EncodeBytecodeList(digests map[string]facts.SHA256) []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(digests)) {
		sum := digests[name]
		fmt.Fprintf(&b, "%x %s\n", sum[:], name)
	}
	return b.Bytes()
}

// VerifyBytecode returns the bytecode of a generation that differs from the list of its seal,
// and adds the other files to hashed. It does not check bytecode that Python wrote later; a
// file that is missing is no damage, since Python writes it again.
func VerifyBytecode(ctx context.Context, genDir string, seal Seal, hashed Hashed) ([]facts.Damage, error) {
	if seal.Bytecode.IsZero() {
		return nil, nil
	}
	list := layout.BytecodeList("")
	b, err := readFile(filepath.Join(genDir, list), nil, maxStamps)
	if err != nil && !rawfile.IsAbsent(err) {
		return nil, err
	}
	if err != nil || sha256.Sum256(b) != seal.Bytecode {
		return []facts.Damage{{What: "seal", Path: list}}, nil
	}
	if len(b) == 0 {
		return nil, nil
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	hashers := make([]hasher, workers())
	var mu sync.Mutex // guards damage and hashed
	var damage []facts.Damage
	err = each(len(lines), func(worker, i int) error {
		digest, name, _ := strings.Cut(lines[i], " ")
		var st unix.Stat_t
		sum, err := hashers[worker].file(ctx, filepath.Join(genDir, name), "", &st, nil)
		if rawfile.IsAbsent(err) {
			return nil
		}
		same := err == nil && hex.EncodeToString(sum) == digest
		mu.Lock()
		defer mu.Unlock()
		if same {
			hashed[IDOf(&st)] = facts.SHA256(sum)
		} else {
			damage = append(damage, facts.Damage{What: "changed", Path: name})
		}
		return ctx.Err()
	})
	return sorted(damage), err
}
