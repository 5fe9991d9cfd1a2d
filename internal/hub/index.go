package hub

import (
	"encoding/json"
	"path"
	"strconv"
	"strings"
)

// indexLimit bounds a file of JSON that is read whole, in bytes. The index of the
// largest published model has less than a hundredth of it.
const indexLimit = 32 << 20

// maxShards bounds what a name such as model-00001-of-99999.safetensors can ask for.
const maxShards = 10_000

// indexSuffix ends the name of the file that says which shard holds which tensor.
const indexSuffix = ".index.json"

// An index is where the tensors of a model lie.
type index struct {
	Shards map[string]string `json:"weight_map"` // tensor to file
}

// parseIndex reads an index; shards are relative to the folder that it lies in.
func parseIndex(b []byte) (index, error) {
	var x index
	if err := json.Unmarshal(b, &x); err != nil {
		return x, &formatError{"index", "no JSON of an index"}
	}
	if len(x.Shards) == 0 {
		return x, &formatError{"index", "it lists no tensors"}
	}
	for _, shard := range x.Shards {
		if !safe(shard) {
			return x, &formatError{"index", "it names " + strconv.Quote(clip(shard))}
		}
	}
	return x, nil
}

// isWeights returns the format of weights that the name of a file stands for, "" for
// another file.
func weightsFormat(name string) string {
	switch path.Ext(name) {
	case ".safetensors":
		return "safetensors"
	case ".bin", ".pt", ".pth":
		base := path.Base(name)
		if base == "training_args.bin" || strings.HasPrefix(base, "optimizer") || strings.HasPrefix(base, "scheduler") || strings.HasPrefix(base, "rng_state") {
			return ""
		}
		return "bin"
	case ".gguf":
		return "gguf"
	}
	return ""
}

// siblings returns all shards of the set that a numbered one belongs to, or nil:
// model-00002-of-00003.safetensors has three.
func siblings(name string) []string {
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	rest, total, ok := cutNumber(stem, "-of-")
	if !ok || weightsFormat(name) == "" {
		return nil
	}
	front, number, ok := cutNumber(rest, "-")
	n, _ := strconv.Atoi(total)
	if k, _ := strconv.Atoi(number); !ok || k < 1 || k > n || n > maxShards {
		return nil
	}
	set := make([]string, n)
	for i := range set {
		set[i] = front + "-" + pad(i+1) + "-of-" + total + ext
	}
	return set
}

// cutNumber splits five digits off the end, and the text before them.
func cutNumber(s, before string) (front, digits string, ok bool) {
	i := len(s) - 5
	if i < len(before) || strings.Trim(s[i:], "0123456789") != "" || s[i-len(before):i] != before {
		return "", "", false
	}
	return s[:i-len(before)], s[i:], true
}

func pad(n int) string {
	digits := strconv.Itoa(n)
	return strings.Repeat("0", 5-len(digits)) + digits
}
