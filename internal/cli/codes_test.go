package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/reconcile-ml/reconcile/internal/doctor"
	"github.com/reconcile-ml/reconcile/internal/explain"
)

// assembled are the codes that are put together when the program runs: the package
// and what stands before the rest, and where the rest comes from.
var assembledCodes = map[string]struct {
	from  string   // the package whose words it is, "" for words below
	words []string // all that it can be
}{
	"../../internal/manifest manifest.": {from: "../../internal/manifest"}, // what its function problem is called with
	"../../pkg/resources/cuda cuda.":    {words: []string{"no-driver", "broken", "unusable"}},
	"../../pkg/resources/gpu gpu.":      {from: "../../internal/nvidia"},
	"../../internal/apply .":            {words: []string{"cuda", "qlora"}}, // behind apply.prove
}

// prefixOfFindings begin names of findings of doctor, which are no problems.
var findingPrefixes = []string{"proof.", "gpu.device."}

// A codeReader collects the codes of problems from source.
type codeReader struct {
	t *testing.T
	// found are the codes, each with a place that reports it.
	found map[string]string
	// bare are words without an area, by package: something puts one before them.
	areaLess map[string][]string
	// prefixes are what is put before or between, by package and words.
	prefixes map[string]bool
	// passed maps the functions with a parameter that is called code, by package and name,
	// exported ones also by name alone, to the index of the parameter.
	codeParams map[string]int
}

// sourceFiles returns the files of the program, without tests and what only tests use.
func sourceFiles(t *testing.T) []string {
	var files []string
	for _, dir := range []string{"../../pkg", "../../internal"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "testdata" || d.Name() == "resourcetest") {
				return filepath.SkipDir
			}
			if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func readCodes(t *testing.T) *codeReader {
	r := &codeReader{t: t, found: map[string]string{}, areaLess: map[string][]string{}, prefixes: map[string]bool{}, codeParams: map[string]int{}}
	set := token.NewFileSet()
	parsed := map[string]*ast.File{}
	for _, name := range sourceFiles(t) {
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed[name] = file
		r.addParameters(filepath.Dir(name), file)
	}
	for name, file := range parsed {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && (key.Name == "Code" || key.Name == "code") {
					r.addValue(name, n.Value)
				}
			case *ast.AssignStmt:
				for i, to := range n.Lhs {
					if s, ok := to.(*ast.SelectorExpr); ok && s.Sel.Name == "Code" && len(n.Lhs) == len(n.Rhs) {
						r.addValue(name, n.Rhs[i])
					}
				}
			case *ast.CallExpr:
				for _, callee := range []string{filepath.Dir(name) + " " + calleeName(n), calleeName(n)} {
					if i, ok := r.codeParams[callee]; ok && i < len(n.Args) {
						r.addValue(name, n.Args[i])
					}
				}
			}
			return true
		})
	}
	return r
}

// parameters notes the functions of a file that are given a code.
func (r *codeReader) addParameters(dir string, file *ast.File) {
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		i := 0
		for _, field := range f.Type.Params.List {
			for _, name := range field.Names {
				if name.Name == "code" && identName(field.Type) == "string" {
					r.codeParams[dir+" "+f.Name.Name] = i
					if f.Name.IsExported() {
						r.codeParams[f.Name.Name] = i
					}
				}
				i++
			}
		}
	}
}

func identName(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// calleeOf is the name of the function that a call calls.
func calleeName(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// value notes what a code is set to.
func (r *codeReader) addValue(file string, e ast.Expr) {
	switch e := e.(type) {
	case *ast.BasicLit:
		code, err := strconv.Unquote(e.Value)
		if err != nil || code == "" {
			return
		}
		if strings.Contains(code, ".") || slices.Contains([]string{"cli", "exit", "session"}, filepath.Base(filepath.Dir(file))) {
			r.found[code] = file
		} else {
			r.areaLess[filepath.Dir(file)] = append(r.areaLess[filepath.Dir(file)], code)
		}
	case *ast.BinaryExpr:
		literal, ok := e.X.(*ast.BasicLit)
		if !ok {
			r.t.Errorf("%s: a code begins with what is no literal", file)
			return
		}
		if prefix, err := strconv.Unquote(literal.Value); err != nil {
			r.t.Fatal(err)
		} else if !slices.Contains(findingPrefixes, prefix) {
			r.prefixes[filepath.Dir(file)+" "+prefix] = true
		}
	}
}

// all returns every code that the program can print, with a place that does.
func (r *codeReader) all() map[string]string {
	for prefix := range r.prefixes {
		of, ok := assembledCodes[prefix]
		if !ok {
			r.t.Errorf("a code is put together of %q and something: say of what, in assembled", prefix)
		}
		words := of.words
		if of.from != "" {
			words = r.areaLess[of.from]
		}
		if len(words) == 0 {
			r.t.Errorf("no words are found for %q", prefix)
		}
		dir, before, _ := strings.Cut(prefix, " ")
		if before == "." {
			before = "apply.prove."
		}
		for _, word := range words {
			if strings.Contains(word, ".") || word == "internal" {
				continue
			}
			r.found[before+word] = dir
		}
	}
	r.found["internal"] = "../../internal/diag"
	return r.found
}

// TestEveryCodeIsExplained checks that every code of a problem in the source is explained in
// docs/troubleshooting.md, and that no other is.
func TestEveryCodeIsExplained(t *testing.T) {
	explained := explain.Codes()
	found := readCodes(t).all()
	for code, file := range found {
		if _, isFinding := doctor.CheckTitle(code); explained[code].Means == "" && !isFinding {
			t.Errorf("%s: %s is not explained", file, code)
		}
	}
	for code := range explained {
		if found[code] == "" {
			t.Errorf("%s is explained, and nothing reports it", code)
		}
	}
	if len(found) < 120 {
		t.Errorf("only %d codes are found in the source", len(found))
	}
}
