package hub

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// weights is what a snapshot has of them.
type weights struct {
	format string // "safetensors", "bin", "gguf"; "" for none
	have   int    // files that are there and sound
	need   int
}

// checkWeights compares the weights with their indexes, with the numbers in their
// names, and each safetensors file with its own header.
func (s *snapshot) checkWeights() {
	tensors := map[string]map[string]bool{} // shard, tensor: found in its header
	needed := map[string]bool{}
	for i := range s.files {
		f := &s.files[i]
		if weightsFormat(f.name) != "" && (strings.Count(f.name, "/") == 0 || s.isDiffusers()) {
			needed[f.name] = true
			for _, name := range siblings(f.name) {
				needed[name] = true
			}
		}
		if strings.HasSuffix(f.name, indexSuffix) && weightsFormat(strings.TrimSuffix(f.name, indexSuffix)) != "" && !f.broken {
			s.readIndex(f, tensors, needed)
		}
	}
	s.checkHeaders(tensors)
	s.checkTensors(tensors)
	s.countWeights(needed)
	if s.weights.format == "" && !s.listed() {
		s.fault("weights", "", "", "")
	}
	if name := "config.json"; !s.listed() && s.find(name) == nil && s.isTransformer() && !s.pin.excluded(name) {
		s.fault("missing", name, "", "")
	}
}

// isTransformer reports whether the weights are those of transformers, which needs
// config.json beside them.
func (s *snapshot) isTransformer() bool {
	return slices.ContainsFunc(s.files, func(f file) bool {
		return weightsFormat(f.name) != "" && (strings.HasPrefix(f.name, "model") || strings.HasPrefix(f.name, "pytorch_model"))
	})
}

// isDiffusers reports whether the weights lie in folders, one a part.
func (s *snapshot) isDiffusers() bool { return s.find("model_index.json") != nil }

// readIndex notes what an index asks for.
func (s *snapshot) readIndex(f *file, tensors map[string]map[string]bool, needed map[string]bool) {
	b, err := s.readSmall(f.path)
	var x index
	if err == nil {
		x, err = parseIndex(b)
	}
	if err != nil {
		s.markBroken(f, err)
		return
	}
	for tensor, shard := range x.Shards {
		name := in(f.name, shard)
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

// checkHeaders reads the header of each safetensors file.
func (s *snapshot) checkHeaders(tensors map[string]map[string]bool) {
	for i := range s.files {
		f := &s.files[i]
		if path.Ext(f.name) != ".safetensors" || f.broken {
			continue
		}
		wanted := tensors[f.name]
		content, st, err := open(f.path)
		if err == nil {
			err = checkHeader(content, st.size, func(tensor string) {
				if _, ok := wanted[tensor]; ok {
					wanted[tensor] = true
				}
			})
			content.close()
		}
		if err != nil {
			s.markBroken(f, err)
		}
	}
}

// checkTensors reports indexes that look for a tensor where it is not.
func (s *snapshot) checkTensors(tensors map[string]map[string]bool) {
	for i := range s.files {
		f := &s.files[i]
		if path.Ext(f.name) != ".safetensors" || f.broken {
			continue
		}
		var lost []string
		for tensor, found := range tensors[f.name] {
			if !found {
				lost = append(lost, tensor)
			}
		}
		if len(lost) == 0 {
			continue
		}
		slices.Sort(lost)
		detail := fmt.Sprintf("tensor %q is not in it", clip(lost[0]))
		if len(lost) > 1 {
			detail += fmt.Sprintf(", nor are %d more", len(lost)-1)
		}
		s.fault("index", f.name, f.blob, detail)
	}
}

// count counts the files of weights, and reports those that the weights themselves say
// should be there and that no list of the revision has reported.
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
	formats := map[string]bool{}
	for _, name := range names {
		f := s.find(name)
		switch {
		case f != nil && !f.broken:
			formats[weightsFormat(name)] = true
			s.weights.have++
		case f != nil:
			formats[weightsFormat(name)] = true
		case !listed[name]:
			s.fault("missing", name, "", "")
		}
	}
	s.weights.need = len(names)
	for _, format := range []string{"gguf", "bin", "safetensors"} {
		if formats[format] {
			s.weights.format = format
		}
	}
}

// spoil notes what is wrong with a file that could not be checked.
func (s *snapshot) markBroken(f *file, err error) {
	f.broken = true
	if shape, ok := errors.AsType[*formatError](err); ok {
		s.fault(shape.what, f.name, f.blob, shape.detail)
		return
	}
	s.fault("unreadable", f.name, f.blob, reason(err))
}
