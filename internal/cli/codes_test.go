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

// assembledCodes lists the codes that the program concatenates: by package and prefix, the
// source of the last part.
var assembledCodes = map[string]struct {
	from  string   // the package of the last parts, "" if they are in words
	words []string // all last parts
}{
	"../../internal/manifest manifest.": {from: "../../internal/manifest"}, // the arguments of its function problem
	"../../pkg/resources/cuda cuda.":    {words: []string{"no-driver", "no-nvidia", "broken", "unusable"}},
	"../../pkg/resources/gpu gpu.":      {from: "../../internal/nvidia"},
	"../../internal/apply .":            {words: []string{"cuda", "qlora", "mps"}}, // with the prefix apply.prove
}

// findingPrefixes are the prefixes of doctor's findings, which are not problems.
var findingPrefixes = []string{"proof.", "gpu.device.", "gpu.other."}

// A codeReader collects the codes of problems from source.
type codeReader struct {
	t *testing.T
	// found has the codes, each with a file that reports it.
	found map[string]string
	// areaLess has the codes without an area, by package: the program adds a prefix.
	areaLess map[string][]string
	// prefixes has the prefixes that the program adds, as "package prefix".
	prefixes map[string]bool
	// codeParams maps the functions with a parameter named code, by package and name,
	// exported ones also by name alone, to the index of the parameter.
	codeParams map[string]int
}

// sourceFiles returns the files of the program, without tests and packages for tests.
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
		check(t, err)
	}
	return files
}

func readCodes(t *testing.T) *codeReader {
	r := &codeReader{t: t, found: map[string]string{}, areaLess: map[string][]string{}, prefixes: map[string]bool{}, codeParams: map[string]int{}}
	set := token.NewFileSet()
	parsed := map[string]*ast.File{}
	for _, name := range sourceFiles(t) {
		file, err := parser.ParseFile(set, name, nil, 0)
		check(t, err)
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

// addParameters records the functions of a file that have a parameter named code.
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

// calleeName returns the name of the called function.
func calleeName(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// addValue records the expression that a code is set to.
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
			r.t.Errorf("%s: a code does not begin with a literal", file)
			return
		}
		if prefix, err := strconv.Unquote(literal.Value); err != nil {
			r.t.Fatal(err)
		} else if !slices.Contains(findingPrefixes, prefix) {
			r.prefixes[filepath.Dir(file)+" "+prefix] = true
		}
	}
}

// all returns every code that the program can print, with a file that reports it.
func (r *codeReader) all() map[string]string {
	for prefix := range r.prefixes {
		of, ok := assembledCodes[prefix]
		if !ok {
			r.t.Errorf("a code begins with %q: list its last parts in assembledCodes", prefix)
		}
		words := of.words
		if of.from != "" {
			words = r.areaLess[of.from]
		}
		if len(words) == 0 {
			r.t.Errorf("no last part was found for %q", prefix)
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
