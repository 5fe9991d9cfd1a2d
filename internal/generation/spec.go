package generation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// Env holds the fields that the Spec of every kind of environment begins with, and
// Content those that it ends with. They are two structs because the order of the fields is
// part of resources.Digest, which the state records.
type Env struct {
	Name   string `json:"name"`   // in the manifest: "local"
	Path   string `json:"path"`   // the directory that exposes the active generation: ".venv"
	Python string `json:"python"` // minor version: "3.10"
}

// Owns returns the key of the environment.
func (e *Env) Owns() facts.Key { return facts.EnvironmentKey(e.Name) }

// Place returns the directory that exposes the active generation.
func (e *Env) Place() string { return e.Path }

// Removal removes that directory and the generations, unless a process uses them.
func (e *Env) Removal(r resources.Recorded) resources.Spec { return &Removal{Recorded: r} }

// Content is what an environment contains, and how that is tested.
type Content struct {
	Closure []lock.Dist   `json:"closure"`           // locked Python packages for this platform, by name
	Problem *diag.Problem `json:"problem,omitempty"` // why there is no closure: the lock is missing or out of date
	SmokeTest
	CompileAll bool                 `json:"compile_all,omitempty"` // not only what the smoke test imports
	Variables  []resources.Variable `json:"variables,omitempty"`   // set by activation

	// Requests are the requests that allow several versions, by normalised name. They are shown
	// beside the locked version, and are not part of the desired state.
	Requests map[string]string `json:"-"`

	// PreviousName is the name that a moved environment had, not part of the desired state.
	PreviousName string `json:"-"`
}

// Reads returns the keys that every kind of environment reads: those of a GPU only if it is
// tested.
func (c *Content) Reads(e *Env) []facts.Key {
	keys := []facts.Key{facts.EnvironmentKey(e.Name), facts.HostKey, facts.ProjectKey, facts.PathKey(ignoreFile(e.Path))}
	if c.onGPU() {
		keys = append(keys, facts.NvidiaKey)
	}
	for _, d := range c.Closure {
		if d.IsEditable() {
			for _, name := range buildFiles(d) {
				keys = append(keys, facts.PathKey(name))
			}
		}
	}
	if c.PreviousName != "" {
		keys = append(keys, facts.EnvironmentKey(c.PreviousName))
	}
	return keys
}

// LockProblem returns a copy of Problem, nil for none.
func (c *Content) LockProblem() *diag.Problem {
	if c.Problem == nil {
		return nil
	}
	p := *c.Problem
	return &p
}

// Digest returns the SHA-256, in hexadecimal, of a header, the smoke test, the variables
// and the sorted entries of all packages: those of the closure, built ones by their keys, and more.
func (c *Content) Digest(header string, keys BuildKeys, more ...string) string {
	var b strings.Builder
	b.WriteString(header + c.digest())
	if c.CompileAll {
		b.WriteString("compile all\n")
	}
	for _, v := range c.Variables { // none in generations of releases without variables
		fmt.Fprintf(&b, "variable %q %q\n", v.Name, v.Path)
	}
	for _, d := range c.Closure {
		hashes := strings.Join(d.Hashes(), " ")
		if key, ok := keys[d.Name]; ok {
			hashes = key.String()
		}
		more = append(more, fmt.Sprintf("dist %q %q %s\n", d.Name, d.Version, hashes))
	}
	slices.Sort(more)
	sum := sha256.Sum256([]byte(b.String() + strings.Join(more, "")))
	return hex.EncodeToString(sum[:])
}
