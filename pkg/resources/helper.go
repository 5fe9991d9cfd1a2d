package resources

import "github.com/reconcile-ml/reconcile/internal/facts"

// HelperVersions returns the Python minor versions that can run py-rattler, in the order of
// preference.
func HelperVersions() []string { return []string{"3.10", "3.11", "3.12", "3.13", "3.14"} }

// FirstPython returns the first usable interpreter of some minor versions. The view must
// show all of them.
func FirstPython(v facts.View, minors []string) (facts.Interpreter, bool) {
	for _, minor := range minors {
		if i, ok := facts.Get[facts.Pythons](v, facts.PythonKey(minor)).Usable(); ok {
			return i, true
		}
	}
	return facts.Interpreter{}, false
}

// FirstTool returns the first usable program of some names. The view must show all of
// them.
func FirstTool(v facts.View, names []string) (facts.Tool, bool) {
	for _, name := range names {
		if t := facts.Get[facts.Tool](v, facts.ToolKey(name)); t.Path != "" && t.Refused == "" {
			return t, true
		}
	}
	return facts.Tool{}, false
}

// ToolKeys returns the keys of programs.
func ToolKeys(names []string) []facts.Key { return keys(names, facts.ToolKey) }

// PythonKeys returns the keys of Python minor versions.
func PythonKeys(minors []string) []facts.Key { return keys(minors, facts.PythonKey) }

func keys(names []string, key func(string) facts.Key) []facts.Key {
	list := make([]facts.Key, len(names))
	for i, name := range names {
		list[i] = key(name)
	}
	return list
}
