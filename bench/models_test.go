package bench

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/hubtest"
)

const (
	modelRepo     = "meta-llama/Bench"
	modelRevision = "0e9e39f249a16976918f6564b8830bc894c89659"
)

// models writes a project with a sharded model in its cache, and returns its folder and the
// blobs of the shards.
func models(b *testing.B, shards, size int) (dir string, blobs []string) {
	b.Helper()
	dir = b.TempDir()
	manifest := fmt.Sprintf("version: 1\nproject: bench\ndirectories: {models: {path: models}}\nmodels: [{repo: %s, revision: %s}]\n", modelRepo, modelRevision)
	check(b, os.WriteFile(filepath.Join(dir, "manifest.yaml"), []byte(manifest), 0o644))
	m := hubtest.New(b, filepath.Join(dir, "models"), modelRepo, modelRevision)
	m.Put("config.json", []byte("{}"), false)
	random := rand.NewChaCha8([32]byte{1})
	for i := 1; i <= shards; i++ {
		front := hubtest.Safetensors(0, 0, hubtest.Tensors(i)...)
		front = bytes.Replace(front, []byte(`[0,0]`), fmt.Appendf(nil, `[0,%d]`, size), 1)
		front = bytes.Replace(front, []byte(`[0,0]`), fmt.Appendf(nil, `[%d,%d]`, size, size), 1)
		binary.LittleEndian.PutUint64(front, uint64(len(front)-8))
		blob, err := writeBlob(filepath.Dir(m.Blob("config.json")), io.MultiReader(bytes.NewReader(front), io.LimitReader(random, int64(size))))
		check(b, err)
		check(b, os.Symlink("../../blobs/"+filepath.Base(blob), m.Snapshot(hubtest.Shard(i, shards))))
		blobs = append(blobs, blob)
	}
	time.Sleep(100 * time.Millisecond) // files younger than a tick are hashed again
	return dir, blobs
}

// writeBlob writes content under its sha256. It streams the content, because the peak memory
// of this process would count as that of the programs that it starts.
func writeBlob(dir string, content io.Reader) (string, error) {
	f, err := os.CreateTemp(dir, "")
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, sum), content); err != nil {
		return "", err
	}
	blob := filepath.Join(dir, hex.EncodeToString(sum.Sum(nil)))
	return blob, os.Rename(f.Name(), blob)
}

// cpu returns the CPU seconds of a program, which vary less than its duration on a busy
// machine.
func cpu(b *testing.B, p program) float64 {
	b.Helper()
	cmd := exec.Command(p.words[0], p.words[1:]...)
	cmd.Dir = p.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", strings.Join(p.words, " "), err, out)
	}
	return (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
}

// threads hashes files in Python, with one thread per core.
const threads = `import concurrent.futures, hashlib, os, sys
def sha256(name):
    state, buffer = hashlib.sha256(), memoryview(bytearray(1 << 20))
    with open(name, "rb", buffering=0) as f:
        while n := f.readinto(buffer):
            state.update(buffer[:n])
    return state.hexdigest()
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    print(*pool.map(sha256, sys.argv[1:]), sep="\n")`

// BenchmarkHashModels measures the verification of weights against programs that hash the
// same files on all cores. The goal is 90 % of the fastest: a ratio of 1.11.
func BenchmarkHashModels(b *testing.B) {
	const shards, size = 4, 256 << 20
	ours := build(b, module+"/cmd/reconcile")
	dir, blobs := models(b, shards, size)
	each := func(words ...string) []string {
		return append([]string{"sh", "-c", fmt.Sprintf(`printf '%%s\n' "$@" | xargs -P %d -n 1 %s`, runtime.NumCPU(), strings.Join(words, " ")), "sh"}, blobs...)
	}
	rivals := []struct {
		name, program string
		words         []string
	}{
		{"openssl", "openssl", each("openssl", "dgst", "-sha256")},
		{"sha256sum", "sha256sum", each("sha256sum")},
		{"python", "python3", append([]string{"python3", "-c", threads}, blobs...)},
	}
	for _, rival := range rivals {
		b.Run(rival.name, func(b *testing.B) {
			if _, err := exec.LookPath(rival.program); err != nil {
				b.Skipf("no %s on this machine", rival.program)
			}
			mine, theirs := program{words: []string{ours, "models", "verify", "--no-cache", "-q"}, dir: dir}, program{words: rival.words, dir: dir}
			took := pair(b, mine, theirs)
			b.ReportMetric(float64(shards*size)/took.Seconds()/1e9, "GB/s")
			busy := cpu(b, mine)
			b.ReportMetric(float64(shards*size)/busy/1e9, "GB/s-core")
			b.ReportMetric(busy/cpu(b, theirs), "x-bare-cpu")
		})
	}
	b.Run("one-core", func(b *testing.B) {
		took := func(jobs string) time.Duration {
			wall, _ := program{words: []string{ours, "models", "verify", "--no-cache", "-q", "-j", jobs}, dir: dir}.once(b)
			return wall
		}
		var one, two []float64
		for b.Loop() {
			one, two = append(one, ms(took("1"))), append(two, ms(took("2")))
		}
		b.ReportMetric(shards*size/median(one)/1e6, "GB/s")
		b.ReportMetric(median(one)/median(two), "x-on-two")
	})
}

// BenchmarkVerifyUnchanged verifies a hundred unchanged files. The goal is 50 ms for the
// process and 10 µs per file.
func BenchmarkVerifyUnchanged(b *testing.B) {
	ours := build(b, module+"/cmd/reconcile")
	for _, shards := range []int{1, 100} {
		b.Run(fmt.Sprint(shards), func(b *testing.B) {
			dir, _ := models(b, shards, 1<<20)
			p := program{words: []string{ours, "models", "verify"}, dir: dir}
			p.once(b)
			out, err := exec.Command(ours, "-C", dir, "models", "verify").Output()
			if err != nil || !bytes.Contains(out, []byte("nothing had to be hashed again")) {
				b.Fatalf("it hashed again: %v\n%s", err, out)
			}
			alone(b, p)
		})
	}
}
