package arch

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maxReach is how many files of internal/cli a command may reach, its own included: flags,
// one call, print, exit code.
const maxReach = 8

// TestCommandsReachFewFiles checks how many files of internal/cli a file reaches through
// the package-level names that it uses. A command that reaches more holds logic that
// belongs into a feature package.
func TestCommandsReachFewFiles(t *testing.T) {
	uses := fileReferences(t, "../cli")
	if len(uses) < 20 {
		t.Fatalf("only %d files are found", len(uses))
	}
	for _, file := range slices.Sorted(maps.Keys(uses)) {
		if file == "root.go" {
			continue // lists the commands
		}
		reached := map[string]bool{}
		reach(uses, file, reached)
		names := slices.Sorted(maps.Keys(reached))
		t.Logf("%s reaches %d: %s", file, len(names), strings.Join(names, " "))
		if len(names) > maxReach {
			t.Errorf("%s reaches %d files of internal/cli, at most %d are few enough to read: %s", file, len(names), maxReach, strings.Join(names, " "))
		}
	}
}

// reach adds file, and all files that it reaches, to reached.
func reach(uses map[string]map[string]bool, file string, reached map[string]bool) {
	if reached[file] {
		return
	}
	reached[file] = true
	for other := range uses[file] {
		reach(uses, other, reached)
	}
}

// fileReferences returns, for each file of the package in dir, the files that declare the
// package-level names and methods that it uses.
func fileReferences(t *testing.T, dir string) map[string]map[string]bool {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	uses := map[string]map[string]bool{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		uses[filepath.Base(name)] = map[string]bool{}
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	// Without the imported packages, names of this package are still resolved.
	config := types.Config{Importer: noImports{}, Error: func(error) {}}
	pkg, _ := config.Check(dir, set, files, info)
	for id, object := range info.Uses {
		method, ok := object.(*types.Func)
		isMethod := ok && method.Signature().Recv() != nil
		if object.Pkg() != pkg || object.Parent() != pkg.Scope() && !isMethod {
			continue
		}
		from, to := filepath.Base(set.Position(id.Pos()).Filename), filepath.Base(set.Position(object.Pos()).Filename)
		if from != to {
			uses[from][to] = true
		}
	}
	return uses
}

// noImports is an importer without packages.
type noImports struct{}

func (noImports) Import(path string) (*types.Package, error) {
	return nil, errors.New("not imported: " + path)
}
