package hub

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// jsonLimit bounds a JSON file that is read whole, in bytes. The index of the largest
// published model has less than a hundredth of it.
const jsonLimit = 32 << 20

// maxShards bounds what a name such as model-00001-of-99999.safetensors can require.
const maxShards = 10_000

// indexSuffix ends the name of the file that maps tensors to shards.
const indexSuffix = ".index.json"

// An index maps the tensors of a model to shards, relative to the folder of the index.
type index struct {
	Shards map[string]string `json:"weight_map"` // tensor to file
}

func parseIndex(b []byte) (index, error) {
	var x index
	if err := json.Unmarshal(b, &x); err != nil {
		return x, &formatError{"index", "malformed JSON"}
	}
	if len(x.Shards) == 0 {
		return x, &formatError{"index", "it lists no tensors"}
	}
	for _, shard := range x.Shards {
		if !isSafe(shard) {
			return x, &formatError{"index", "it names " + strconv.Quote(clip(shard))}
		}
	}
	return x, nil
}

// weightsFormat returns the format of a file of weights by its name, "" for other files.
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

// shardName matches the stem of a numbered shard.
var shardName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?s)^(.*)-([0-9]{5})-of-([0-9]{5})$`) })

// siblings returns all shards of the set of a numbered one, or nil:
// model-00002-of-00003.safetensors has three.
func siblings(name string) []string {
	ext := path.Ext(name)
	m := shardName().FindStringSubmatch(strings.TrimSuffix(name, ext))
	if m == nil || weightsFormat(name) == "" {
		return nil
	}
	k, _ := strconv.Atoi(m[2])
	n, _ := strconv.Atoi(m[3])
	if k < 1 || k > n || n > maxShards {
		return nil
	}
	set := make([]string, n)
	for i := range set {
		set[i] = fmt.Sprintf("%s-%05d-of-%05d%s", m[1], i+1, n, ext)
	}
	return set
}
