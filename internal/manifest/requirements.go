package manifest

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/pkg/resources/gpu"
)

// CUDA is what the driver must offer. It is never installed.
type CUDA struct {
	Minimum  string // "12.1"
	Severity diag.Severity
	Pos      diag.Pos
}

// GPU is what GPUs there must be.
type GPU struct {
	Count    int64
	Memory   gpu.Memory
	ByModel  []gpu.Model
	Compute  string // least compute capability, "8.0"
	Severity diag.Severity
	Pos      diag.Pos
}

// QLoRA is the quantisation that an environment must prove to work.
type QLoRA struct {
	QuantType    string
	DoubleQuant  bool
	ComputeDtype string
}

var (
	cudaShape  = shape{"cuda", []string{"minimum", "severity"}, 1}
	gpuShape   = shape{"gpu", []string{"count", "memory", "by_model", "compute", "severity"}, 0}
	proveShape = shape{"prove", []string{"imports", "cuda", "qlora"}, 0}
	qloraShape = shape{"qlora", []string{"quant_type", "double_quant", "compute_dtype"}, 3}
)

func (l *loader) cuda(n *yaml.Node) *CUDA {
	var v [2]*yaml.Node
	if n == nil || !l.object(n, &cudaShape, v[:]) {
		return nil
	}
	c := &CUDA{Pos: l.at(n)}
	c.Minimum = l.twoNumbers(v[0], "minimum", "a version of CUDA", "12.1")
	if v[1] != nil {
		c.Severity = l.severity(v[1])
	}
	return c
}

// twoNumbers reads a version of two numbers, such as 12.1.
func (l *loader) twoNumbers(n *yaml.Node, key, what, example string) string {
	v, ok := l.scalar(n, key)
	if !ok {
		return ""
	}
	major, minor, cut := strings.Cut(v, ".")
	a, err := strconv.ParseUint(major, 10, 8)
	b, err2 := strconv.ParseUint(minor, 10, 8)
	if !cut || err != nil || err2 != nil || strconv.FormatUint(a, 10)+"."+strconv.FormatUint(b, 10) != v {
		l.problem(n, "version", key+" must be "+what, quote(v), fmt.Sprintf("write %s: %q", key, example))
	}
	return v
}

func (l *loader) gpu(n *yaml.Node) *GPU {
	var v [5]*yaml.Node
	if n == nil || !l.object(n, &gpuShape, v[:]) {
		return nil
	}
	g := &GPU{Pos: l.at(n), Count: 1}
	if v[0] != nil {
		g.Count = l.integer(v[0], "count", 1, 1024)
	}
	g.Memory = l.memory(v[1])
	l.entries(v[2], "by_model", func(key, value *yaml.Node) {
		if model, ok := l.text(key, "a model"); ok {
			g.ByModel = append(g.ByModel, gpu.Model{Model: model, Memory: l.memory(value)})
		}
	})
	if v[3] != nil {
		g.Compute = l.twoNumbers(v[3], "compute", "a compute capability", "8.0")
	}
	if v[4] != nil {
		g.Severity = l.severity(v[4])
	}
	return g
}

// memory reads what a GPU must have. What is written in GiB is meant to the byte.
func (l *loader) memory(n *yaml.Node) gpu.Memory {
	m := gpu.Memory{Bytes: l.size(n, "memory")}
	m.Exact = m.Bytes > 0 && !bytesize.Decimal(n.Value)
	return m
}

// prove reads what must hold before an environment becomes visible.
func (l *loader) prove(e *Environment, n *yaml.Node) {
	var v [3]*yaml.Node
	if n == nil || !l.object(n, &proveShape, v[:]) {
		return
	}
	seen := make(map[string]bool)
	for _, item := range l.items(v[0], "imports") {
		name, ok := l.scalar(item, "an import")
		switch {
		case !ok:
		case !pep.ValidModule(name):
			hint := "write what stands behind import in Python, such as bs4"
			if under := strings.ReplaceAll(name, "-", "_"); pep.ValidModule(under) {
				hint = "did you mean " + strconv.Quote(under) + "?"
			}
			l.problem(item, "name", quote(name)+" cannot be imported", "", hint)
		case seen[name]:
			l.problem(item, "duplicate-item", quote(name)+" is listed twice", "", "remove one of them")
		default:
			seen[name] = true
			e.Imports = append(e.Imports, name)
		}
	}
	e.TestCUDA = v[1] != nil && l.boolean(v[1], "cuda")
	var q [3]*yaml.Node
	if v[2] != nil && l.object(v[2], &qloraShape, q[:]) && q[0] != nil && q[1] != nil && q[2] != nil {
		e.QLoRA = &QLoRA{
			QuantType:    l.choice(q[0], "quant_type", "nf4", "fp4"),
			DoubleQuant:  l.boolean(q[1], "double_quant"),
			ComputeDtype: l.choice(q[2], "compute_dtype", "bfloat16", "float16", "float32"),
		}
	}
}
