package models

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
)

// token returns where huggingface_hub finds a token. Its file is not opened.
func token(c *session.Config) report.Token {
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} { // the second is the old name
		if strings.TrimSpace(c.Getenv(name)) != "" {
			return report.Token{Visible: true, Source: name}
		}
	}
	file := tokenFile(c)
	if info, err := os.Stat(file); file != "" && err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		return report.Token{Visible: true, Source: file}
	}
	return report.Token{}
}

// tokenFile returns the file of the token by the rules of huggingface_hub, "" without a
// home.
func tokenFile(c *session.Config) string {
	home := c.Getenv("HOME")
	expand := func(name string) string {
		if rest, ok := strings.CutPrefix(name, "~/"); ok && home != "" {
			return filepath.Join(home, rest)
		}
		return name
	}
	switch {
	case c.Getenv("HF_TOKEN_PATH") != "":
		return expand(c.Getenv("HF_TOKEN_PATH"))
	case c.Getenv("HF_HOME") != "":
		return filepath.Join(expand(c.Getenv("HF_HOME")), "token")
	case c.Getenv("XDG_CACHE_HOME") != "":
		return filepath.Join(expand(c.Getenv("XDG_CACHE_HOME")), "huggingface", "token")
	case home != "":
		return filepath.Join(home, ".cache", "huggingface", "token")
	}
	return ""
}

// notes returns what prevents a download, or has an unexpected effect on one.
func (v *inventory) notes(list report.Models) []string {
	var notes []string
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if mine := v.Config.Getenv("HF_HUB_CACHE"); mine != "" && filepath.Clean(mine) != list.Cache && filepath.Clean(mine) != list.Place {
		add("HF_HUB_CACHE of this shell is %s: inside the environment it has no effect. To keep models there: hosts: {%s: {allow_paths: [%s], directories: {%s: {path: %[1]s}}}}",
			mine, v.Selection.Host.Hostname, filepath.Dir(mine), manifest.ModelsDirectory)
	}
	for _, name := range []string{"TRANSFORMERS_CACHE", "PYTORCH_TRANSFORMERS_CACHE", "PYTORCH_PRETRAINED_BERT_CACHE"} {
		if v.Config.Getenv(name) != "" {
			add("%s is set: transformers before 5 searches for models only there; unset it", name)
		}
	}
	if on := strings.ToLower(v.Config.Getenv("HF_HUB_OFFLINE")); slices.Contains([]string{"1", "on", "yes", "true"}, on) && list.Download > 0 {
		add("HF_HUB_OFFLINE is set: downloads are refused; unset it to download")
	}
	if v.Config.Getenv("HF_ENDPOINT") != "" {
		add("HF_ENDPOINT is set: models come from there, not from huggingface.co")
	}
	if file := list.Token.Source; list.Token.Visible && filepath.IsAbs(file) && strings.HasPrefix(file, v.Root+string(filepath.Separator)) {
		add("the token is inside the project, where it may be copied or committed: log in again with HF_HOME unset, and remove %s", file)
	}
	return notes
}
