package catalog

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
	"time"
)

// An ending is the end of something that an environment is built from.
type ending struct {
	Version string `json:"version"` // of Python
	Major   string `json:"major"`   // of CUDA
	Name    string `json:"name"`    // of a conda channel
	End     string `json:"end"`     // the last month, "2026-10"
	Torch   string `json:"torch"`   // the last release of PyTorch, "" for Python
}

type endings struct {
	Pythons  []ending `json:"pythons"`
	CUDA     []ending `json:"cuda"`
	Channels []ending `json:"channels"`
}

//go:embed eol.json
var eolJSON []byte

var knownEndings = sync.OnceValue(func() endings { return decode[endings]("eol.json", eolJSON) })

// An End is the month after which there are no releases and no fixes of something.
type End struct {
	Month time.Time // its first day, in UTC
	Torch string    // the last release of PyTorch with it; "" for Python
}

// PythonEnd returns the end of life of a Python minor version, such as "3.10".
func PythonEnd(minor string) (End, bool) {
	return findEnd(knownEndings().Pythons, func(e ending) bool { return e.Version == minor })
}

// CUDAEnd returns when PyTorch dropped the builds for a CUDA major version, such as "11".
func CUDAEnd(major string) (End, bool) {
	return findEnd(knownEndings().CUDA, func(e ending) bool { return e.Major == major })
}

// ChannelEnd returns when a conda channel ended. name may be a URL of the channel.
func ChannelEnd(name string) (End, bool) {
	name = name[strings.LastIndexByte(name, '/')+1:]
	return findEnd(knownEndings().Channels, func(e ending) bool { return e.Name == name })
}

func findEnd(list []ending, is func(ending) bool) (End, bool) {
	i := slices.IndexFunc(list, is)
	if i < 0 {
		return End{}, false
	}
	month, err := time.Parse("2006-01", list[i].End)
	return End{month, list[i].Torch}, err == nil
}

// soon is how long before an end it is reported.
const soon = 90 * 24 * time.Hour

// IsPast reports whether the month is over at a time.
func (e End) IsPast(now time.Time) bool { return !now.Before(e.Month.AddDate(0, 1, 0)) }

// IsSoon reports whether the month is over within 90 days of a time, and not yet.
func (e End) IsSoon(now time.Time) bool { return !e.IsPast(now) && e.IsPast(now.Add(soon)) }

// Text returns "Python 3.10 is past its end of life (October 2026)" for the subject "Python 3.10", or
// that it will be within 90 days; "" if the end is later.
func (e End) Text(subject string, now time.Time) string {
	switch {
	case e.IsPast(now):
		return subject + " is past its end of life (" + e.String() + ")"
	case e.IsSoon(now):
		return subject + " reaches its end of life in " + e.String()
	}
	return ""
}

// String returns the month, such as "October 2026".
func (e End) String() string { return e.Month.Format("January 2006") }
