package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/report"
)

// token says where huggingface_hub would find a token. Its file is not opened.
func (a *app) token() report.Token {
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} { // the second is the old name
		if strings.TrimSpace(a.getenv(name)) != "" {
			return report.Token{Visible: true, Source: name}
		}
	}
	file := a.tokenFile()
	if info, err := os.Stat(file); file != "" && err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		return report.Token{Visible: true, Source: file}
	}
	return report.Token{}
}

// tokenFile is the file of the token, by the rules of huggingface_hub; "" where there
// is no home.
func (a *app) tokenFile() string {
	home := a.getenv("HOME")
	expand := func(name string) string {
		if rest, ok := strings.CutPrefix(name, "~/"); ok && home != "" {
			return filepath.Join(home, rest)
		}
		return name
	}
	switch {
	case a.getenv("HF_TOKEN_PATH") != "":
		return expand(a.getenv("HF_TOKEN_PATH"))
	case a.getenv("HF_HOME") != "":
		return filepath.Join(expand(a.getenv("HF_HOME")), "token")
	case a.getenv("XDG_CACHE_HOME") != "":
		return filepath.Join(expand(a.getenv("XDG_CACHE_HOME")), "huggingface", "token")
	case home != "":
		return filepath.Join(home, ".cache", "huggingface", "token")
	}
	return ""
}

// notes says what stands in the way of a download, or would surprise.
func (s *shelf) notes(list report.Models) []string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if mine := s.app.getenv("HF_HUB_CACHE"); mine != "" && filepath.Clean(mine) != list.Cache && filepath.Clean(mine) != list.Place {
		add("HF_HUB_CACHE of this shell is %s: inside the environment it has no effect. To keep models there for good: hosts: {%s: {allow_paths: [%s], directories: {%s: {path: %[1]s}}}}",
			mine, s.Selection.Host.Hostname, filepath.Dir(mine), manifest.ModelsDirectory)
	}
	for _, name := range []string{"TRANSFORMERS_CACHE", "PYTORCH_TRANSFORMERS_CACHE", "PYTORCH_PRETRAINED_BERT_CACHE"} {
		if s.app.getenv(name) != "" {
			add("%s is set: transformers before 5 looks for models there and nowhere else; unset it", name)
		}
	}
	if on := strings.ToLower(s.app.getenv("HF_HUB_OFFLINE")); slices.Contains([]string{"1", "on", "yes", "true"}, on) && list.Download > 0 {
		add("HF_HUB_OFFLINE is set: a download is refused; unset it for that time")
	}
	if s.app.getenv("HF_ENDPOINT") != "" {
		add("HF_ENDPOINT is set: models come from there, not from huggingface.co")
	}
	if file := list.Token.Source; list.Token.Visible && filepath.IsAbs(file) && strings.HasPrefix(file, s.Root+string(filepath.Separator)) {
		add("the token lies inside the project, where it may be copied or committed: log in again with HF_HOME unset, and remove %s", file)
	}
	return notes
}
