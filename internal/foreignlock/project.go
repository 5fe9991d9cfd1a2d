package foreignlock

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A pyproject is the part of a pyproject.toml that locks are compared with.
type pyproject struct {
	Project *struct {
		Name           string              `toml:"name"`
		Version        string              `toml:"version"`
		RequiresPython string              `toml:"requires-python"`
		Dependencies   []string            `toml:"dependencies"`
		Optional       map[string][]string `toml:"optional-dependencies"`
		Dynamic        []string            `toml:"dynamic"`
	} `toml:"project"`
	Groups map[string][]any `toml:"dependency-groups"`
	Tool   struct {
		UV struct {
			Dev     []string       `toml:"dev-dependencies"`
			Sources map[string]any `toml:"sources"`
			Indexes []struct {
				Name    string `toml:"name"`
				URL     string `toml:"url"`
				Default bool   `toml:"default"`
			} `toml:"index"`
			IndexURL      string   `toml:"index-url"`
			ExtraIndexURL []string `toml:"extra-index-url"`
		} `toml:"uv"`
		Poetry struct {
			Name    string `toml:"name"`
			Version string `toml:"version"`
		} `toml:"poetry"`
	} `toml:"tool"`
}

// pyproject decodes the pyproject.toml of the selection. It returns false after a problem.
func (r *reader) pyproject() (p pyproject, ok bool) {
	if len(r.Project) == 0 {
		return p, true
	}
	err := toml.Unmarshal(r.Project, &p)
	if err == nil {
		return p, true
	}
	pos := diag.Pos{File: r.projectPath()}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		pos.Line, pos.Col = decode.Position()
	}
	r.problem("lock.project", pos, "", "correct the file", "%s", strings.TrimPrefix(err.Error(), "toml: "))
	return p, false
}

func (r *reader) projectPath() string {
	if r.ProjectPath != "" {
		return r.ProjectPath
	}
	return "pyproject.toml"
}

// name returns the normalised name of the project, "" for none.
func (p *pyproject) name() string {
	if p.Project == nil || p.Project.Name == "" {
		return pep.Normalize(p.Tool.Poetry.Name)
	}
	return pep.Normalize(p.Project.Name)
}

// version returns the version of the project, "" for a dynamic one.
func (p *pyproject) version() string {
	if p.Project == nil || p.Project.Version == "" {
		return p.Tool.Poetry.Version
	}
	return p.Project.Version
}

// isDynamic reports whether the build backend computes a field.
func (p *pyproject) isDynamic(field string) bool { return slices.Contains(p.Project.Dynamic, field) }

// groups returns the dependency groups (PEP 735), and the older list of uv as group dev.
func (p *pyproject) groups() map[string][]any {
	groups := map[string][]any{}
	for name, items := range p.Groups {
		groups[pep.Normalize(name)] = items
	}
	for _, text := range p.Tool.UV.Dev {
		groups["dev"] = append(slices.Clip(groups["dev"]), text)
	}
	return groups
}

// group returns the requirements of a group and of the groups that it includes, each once.
func (p *pyproject) group(name string) (texts []string) {
	groups, seen := p.groups(), map[string]bool{}
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		if seen[queue[0]] {
			continue
		}
		seen[queue[0]] = true
		for _, item := range groups[queue[0]] {
			switch item := item.(type) {
			case string:
				texts = append(texts, item)
			case map[string]any:
				included, _ := item["include-group"].(string)
				queue = append(queue, pep.Normalize(included))
			}
		}
	}
	return texts
}

// foreignStale reports that the lock was made for another pyproject.toml.
func (r *reader) foreignStale(found string) {
	r.problem("lock.foreign-stale", diag.Pos{File: r.path}, found, fmt.Sprintf("run `%s lock`, and commit the result", r.tool), "the lock does not match %s", r.projectPath())
}
