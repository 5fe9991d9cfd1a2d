package manifest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/generation"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/gpu"
)

// CUDA is a requirement on the driver.
type CUDA struct {
	Minimum  string // "12.1"
	Severity diag.Severity
	Pos      diag.Pos
}

// GPU is a requirement on the GPUs of a machine.
type GPU struct {
	Count    int64
	Memory   gpu.Memory
	ByModel  []gpu.Model
	Compute  string // minimum compute capability, "8.0"
	Severity diag.Severity
	Pos      diag.Pos
}

// Pairs is a requirement on the locked packages: that none of them breaks another one.
type Pairs struct {
	Severity diag.Severity
	Pos      diag.Pos
}

var (
	pairsShape     = shape{what: "pairs", keys: []string{"severity"}, required: 1}
	cudaShape      = shape{what: "cuda", keys: []string{"minimum", "severity"}, required: 1}
	gpuShape       = shape{what: "gpu", keys: []string{"count", "memory", "by_model", "compute", "severity"}}
	smokeTestShape = shape{what: "smoke_test", keys: []string{"imports", "cuda", "qlora", "mps"}}
	qloraShape     = shape{what: "qlora", keys: []string{"quant_type", "double_quant", "compute_dtype"}, required: 3}
)

func readCUDA(v value) *CUDA {
	f, ok := v.object(&cudaShape)
	if !ok {
		return nil
	}
	return &CUDA{Minimum: f.get("minimum").majorMinor("a version of CUDA", "12.1"), Severity: f.get("severity").severity(), Pos: v.pos()}
}

// majorMinor reads a version of two numbers, such as 12.1.
func (v value) majorMinor(of, example string) string {
	s, ok := v.scalar()
	if !ok {
		return ""
	}
	major, minor, _ := strings.Cut(s, ".")
	a, err := strconv.ParseUint(major, 10, 8)
	b, err2 := strconv.ParseUint(minor, 10, 8)
	if err != nil || err2 != nil || fmt.Sprintf("%d.%d", a, b) != s {
		v.problem("version", v.what+" must be "+of, quote(s), fmt.Sprintf("write %s: %q", v.what, example))
	}
	return s
}

func readPairs(v value) *Pairs {
	f, ok := v.object(&pairsShape)
	if !ok {
		return nil
	}
	return &Pairs{Severity: f.get("severity").severity(), Pos: v.pos()}
}

func readGPU(v value) *GPU {
	f, ok := v.object(&gpuShape)
	if !ok {
		return nil
	}
	g := &GPU{Pos: v.pos(), Count: 1, Memory: f.get("memory").memory(), Severity: f.get("severity").severity()}
	if count := f.get("count"); count.given() {
		g.Count = count.integer(1, 1024)
	}
	for key, val := range f.get("by_model").entries() {
		if model := key.named("a model").text(); model != "" {
			g.ByModel = append(g.ByModel, gpu.Model{Model: model, Memory: val.named("memory").memory()})
		}
	}
	g.Compute = f.get("compute").majorMinor("a compute capability", "8.0")
	return g
}

// memory reads the memory of a GPU. A size in GiB is exact.
func (v value) memory() gpu.Memory {
	m := gpu.Memory{Bytes: v.size()}
	m.Exact = m.Bytes > 0 && !bytesize.Decimal(v.node.Value)
	return m
}

func readSmokeTest(v value) (s generation.SmokeTest) {
	f, ok := v.object(&smokeTestShape)
	if !ok {
		return s
	}
	seen := make(map[string]bool)
	for item := range f.get("imports").items("an import") {
		name, ok := item.scalar()
		switch {
		case !ok:
		case !pep.ValidModule(name):
			hint := "write the name that follows import in Python, such as bs4"
			if under := strings.ReplaceAll(name, "-", "_"); pep.ValidModule(under) {
				hint = fmt.Sprintf("did you mean %q?", under)
			}
			item.problem("name", quote(name)+" cannot be imported", "", hint)
		case seen[name]:
			item.problem("duplicate-item", quote(name)+" is listed twice", "", "remove one of them")
		default:
			seen[name] = true
			s.Imports = append(s.Imports, name)
		}
	}
	s.TestCUDA = f.get("cuda").boolean()
	s.TestMPS = f.get("mps").boolean()
	if q, ok := f.get("qlora").object(&qloraShape); ok {
		s.QLoRA = &resources.QLoRA{
			QuantType:    q.get("quant_type").choice("nf4", "fp4"),
			DoubleQuant:  q.get("double_quant").boolean(),
			ComputeDtype: q.get("compute_dtype").choice("bfloat16", "float16", "float32"),
		}
	}
	return s
}
