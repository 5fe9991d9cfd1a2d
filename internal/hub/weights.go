package hub

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// weights are the files of weights in a snapshot.
type weights struct {
	format string // "safetensors", "bin", "gguf"; "" for none
	have   int    // files that exist and are intact
	need   int
}

// checkWeights compares the weights with their indexes, with the numbers in their names,
// and each safetensors file with its header.
func (s *snapshot) checkWeights() {
	tensors := map[string]map[string]bool{} // by shard and tensor: found in the header
	needed := map[string]bool{}
	diffusers := s.find("model_index.json") != nil // has one folder of weights per component
	transformers := false                          // needs config.json
	for i := range s.files {
		f := &s.files[i]
		if weightsFormat(f.name) != "" {
			transformers = transformers || strings.HasPrefix(f.name, "model") || strings.HasPrefix(f.name, "pytorch_model")
			if diffusers || !strings.Contains(f.name, "/") {
				needed[f.name] = true
				for _, name := range siblings(f.name) {
					needed[name] = true
				}
			}
		}
		if stem, ok := strings.CutSuffix(f.name, indexSuffix); ok && weightsFormat(stem) != "" && !f.broken {
			s.readIndex(f, tensors, needed)
		}
	}
	for i := range s.files {
		if f := &s.files[i]; path.Ext(f.name) == ".safetensors" && !f.broken {
			s.checkTensors(f, tensors[f.name])
		}
	}
	s.countWeights(needed)
	if s.listed() {
		return
	}
	if s.weights.format == "" {
		s.fault("weights", "", "", "")
	}
	if name := "config.json"; transformers && s.find(name) == nil && !s.pin.excluded(name) {
		s.fault("missing", name, "", "")
	}
}

// readIndex adds the shards and tensors of an index.
func (s *snapshot) readIndex(f *file, tensors map[string]map[string]bool, needed map[string]bool) {
	b, err := readJSON(f.path)
	var x index
	if err == nil {
		x, err = parseIndex(b)
	}
	if err != nil {
		s.markBroken(f, err)
		return
	}
	for tensor, shard := range x.Shards {
		name := path.Join(path.Dir(f.name), shard)
		if s.pin.excluded(name) {
			continue
		}
		needed[name] = true
		if tensors[name] == nil {
			tensors[name] = map[string]bool{}
		}
		tensors[name][tensor] = false
	}
}

// checkTensors checks the header of a safetensors file, and that it has the tensors that an
// index expects in it.
func (s *snapshot) checkTensors(f *file, expected map[string]bool) {
	content, id, err := openRegular(f.path)
	if err == nil {
		err = checkHeader(content, id.size, func(tensor string) {
			if _, ok := expected[tensor]; ok {
				expected[tensor] = true
			}
		})
		content.Close()
	}
	if err != nil {
		s.markBroken(f, err)
		return
	}
	var missing []string
	for tensor, found := range expected {
		if !found {
			missing = append(missing, tensor)
		}
	}
	if len(missing) == 0 {
		return
	}
	slices.Sort(missing)
	detail := fmt.Sprintf("tensor %q is not in it", clip(missing[0]))
	if len(missing) > 1 {
		detail += fmt.Sprintf(", nor are %d more", len(missing)-1)
	}
	s.fault("index", f.name, f.blob, detail)
}

// countWeights counts the files of weights. It reports those that the weights require and
// that are missing, except for files that compareTree has reported.
func (s *snapshot) countWeights(needed map[string]bool) {
	listed := map[string]bool{}
	for _, name := range s.needed() {
		if listed[name] = true; weightsFormat(name) != "" {
			needed[name] = true
		}
	}
	var names []string
	for name := range needed {
		if !s.pin.excluded(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	s.weights.need = len(names)
	formats := []string{"", "gguf", "bin", "safetensors"} // the last one that exists
	for _, name := range names {
		switch f := s.find(name); {
		case f != nil:
			if !f.broken {
				s.weights.have++
			}
			if format := weightsFormat(name); slices.Index(formats, format) > slices.Index(formats, s.weights.format) {
				s.weights.format = format
			}
		case !listed[name]:
			s.fault("missing", name, "", "")
		}
	}
}
