package report

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/golden"
)

// verified is a result with names that could control a terminal.
func verified() *Verified {
	const revision = "c170c708c41dac9275d15a8fff4eca08d52bab71"
	sound := func(name string, size int64) facts.ModelFile {
		return facts.ModelFile{Name: name, Size: size, Blob: "0badcafe", Verified: true}
	}
	return &Verified{
		Cache: "models", Hashed: 30_600_000_000, Took: 14 * time.Second,
		Models: []facts.Model{
			{
				Repo: "meta-llama/Llama", Revision: revision, Path: "models/models--meta-llama--Llama", State: facts.ModelComplete, Weights: "safetensors",
				Files: []facts.ModelFile{sound("config.json", 600), sound("model.safetensors", 16_060_000_000)}, Verified: 2, VerifiedAt: "2026-11-27T05:36:57Z",
			},
			{
				Repo: "old/pickles", Revision: revision, Path: "models/models--old--pickles", State: facts.ModelComplete, Weights: "bin",
				Files: []facts.ModelFile{sound("pytorch_model.bin", 440_000_000)}, Verified: 1, VerifiedAt: "2026-11-27T05:36:57Z",
			},
			{
				Repo: "mistralai/Mistral", Revision: revision, Path: "models/models--mistralai--Mistral", State: facts.ModelDamaged, Weights: "safetensors",
				Files: []facts.ModelFile{sound("config.json", 600), {Name: "model-\x1b[31m.safetensors", Size: 5_000_000_000, Blob: "5555"}}, Verified: 1,
				Faults: []facts.ModelFault{
					{What: "content", File: "model-\x1b[31m.safetensors", Blob: "5555", Detail: "sha256 444444444444… instead of sha256 555555555555…"},
					{What: "missing", File: "tokenizer.json"},
				},
			},
			{Repo: "gone/away", Revision: revision, Path: "models/models--gone--away", State: facts.ModelAbsent},
		},
	}
}

func TestModelsVerified(t *testing.T) {
	var out bytes.Buffer
	if err := ModelsVerified(&out, verified(), Options{}); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/verified.txt", out.Bytes())
	out.Reset()
	if err := ModelsVerifiedJSON(&out, verified()); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/verified.json", out.Bytes())
	if strings.ContainsRune(out.String(), '\x1b') {
		t.Error("JSON holds an escape of a terminal")
	}
}

// TestVerdicts checks the last line, which scripts search for.
func TestVerdicts(t *testing.T) {
	all := verified()
	for _, c := range []struct {
		models []facts.Model
		hashed int64
		want   string
	}{
		{nil, 0, "No model to verify."},
		{all.Models[:1], 0, "The model is intact; nothing had to be hashed again."},
		{all.Models[:2], 16_060_000_600, "All 2 models are intact; 16.1 GB hashed in 14 s, 1.1 GB/s."},
		{all.Models[3:], 0, "The model is not intact."},
		{all.Models[2:], 5_000_000_000, "2 of 2 models not intact; 5 GB hashed in 14 s, 357 MB/s."},
	} {
		var out bytes.Buffer
		if err := ModelsVerified(&out, &Verified{Models: c.models, Hashed: c.hashed, Took: all.Took}, Options{}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if got := lines[len(lines)-1]; got != c.want {
			t.Errorf("last line %q, want %q", got, c.want)
		}
	}
}

// TestMeter checks that a terminal has one live line that is removed at the end, and that a
// file has no line for quick work.
func TestMeter(t *testing.T) {
	var out bytes.Buffer
	tell, stop := Meter(&out, Options{Terminal: true, Width: 80}, "hashing 2 models")
	tell(12_000_000, 30_000_000)
	stop()
	if got := out.String(); !strings.Contains(got, "\rhashing 2 models, 12 MB of 30 MB (40 %)") || !strings.HasSuffix(got, "\r") {
		t.Errorf("a terminal shows %q", got)
	}
	out.Reset()
	tell, stop = Meter(&out, Options{}, "hashing 2 models")
	tell(12_000_000, 30_000_000)
	stop()
	if out.Len() > 0 {
		t.Errorf("a file holds %q", out.String())
	}
}

// TestMeterWithoutTerminal checks the lines without a terminal.
func TestMeterWithoutTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		tell, stop := Meter(&out, Options{}, "hashing")
		tell(12e9, 30e9)
		time.Sleep(heartbeat + time.Millisecond)
		stop()
		if want := "still working: hashing, 12 GB of 30 GB (40 %), 1.2 GB/s, 15 s left\n"; out.String() != want {
			t.Errorf("printed %q, want %q", out.String(), want)
		}
	})
}
