package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unbounded are the functions that open or read a file of any type and size. They hang on a
// named pipe, or fill the memory from a device or a huge file. internal/rawfile has functions
// in their place.
var unbounded = map[string][]string{
	"os":                    {"DirFS", "Open", "OpenFile", "OpenInRoot", "ReadFile"},
	"io":                    {"ReadAll"},
	"io/fs":                 {"ReadFile"},
	"golang.org/x/sys/unix": {"Open", "Openat", "Openat2"},
	"syscall":               {"Open", "Openat"},
}

// methods are the names of methods with the same effect, of *os.Root, fs.FS and others.
var methods = []string{"Open", "OpenFile", "ReadFile"}

// mayOpen lists the calls outside internal/rawfile that are correct, by file and function, with
// the reason.
var mayOpen = map[string]string{
	"internal/audit/database.go member":               "a file of an archive, whose size is limited",
	"internal/atomicfile/create.go removeTemps":       "the directory itself, to list it",
	"internal/atomicfile/dir.go openat":               "files that are created, and Dir.Open, which neither follows a link nor blocks",
	"internal/atomicfile/flush.go Attach":             "the directory itself, to sync it",
	"internal/atomicfile/flush.go SyncFileSystem":     "the directory itself, to sync it",
	"internal/atomicfile/flush.go SyncTreeSyncsAll":   "the directory itself, not its content",
	"internal/atomicfile/flush.go syncEach":           "files to sync, not to read; it does not block",
	"internal/atomicfile/stage.go keepAttributes":     "the attributes of a file, not its content; Dir.Open does not block",
	"internal/apply/file.go readContent":              "Dir.Open neither follows a link nor blocks, and rawfile.ReadOpen reads",
	"internal/extract/extract.go member":              "a file of an archive, whose size is limited",
	"internal/flock/flock.go Open":                    "a file that is created or continued; it neither follows a link nor blocks",
	"internal/apply/remove.go content":                "directories only: O_DIRECTORY",
	"internal/environments/exec.go activationScripts": "fs.Glob reads directories only",
	"internal/session/project.go ReadFacts":           "Config.ReadFile, which has a limit",
	"internal/wheels/archive.go read":                 "a file of an archive",
	"internal/wheels/unpack.go copy":                  "a file of an archive",
	"pkg/probes/disk_linux.go quota":                  "the file system, not the content; it does not block",
	"pkg/probes/python.go glob":                       "fs.Glob reads directories only",
	"internal/planfile/recorder.go Open":              "a wrapper of a file system; the inner one is rawfile.FS",
	"internal/catalog/generate":                       "a tool of developers, which reads the index that its user names",
	"internal/rawfile":                                "the package itself",
	"internal/simpleindex/metadata.go readMetadata":   "a file of an archive, whose size is limited",
	"internal/scan/text.go readDir":                   "a directory of rawfile.FS, to list it",
	"internal/scaffold/project.go projectFiles":       "files in this program",
	"internal/state/lock.go locksExclude":             "the lock file, to lock it; it does not block",
	"internal/state/lock.go openLock":                 "the lock file, to lock it; it does not block",
	"pkg/probes/gpu_nvml.go openNVML":                 "a library, not a file",
}

// TestFilesAreReadByOnePackage checks that production code opens and reads files by
// internal/rawfile only.
func TestFilesAreReadByOnePackage(t *testing.T) {
	used := map[string]bool{}
	for _, dir := range []string{"internal", "pkg", "cmd"} {
		err := filepath.WalkDir(filepath.Join("..", "..", dir), func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && d.Name() == "testdata" {
				return fs.SkipDir
			}
			if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return nil
			}
			rel := filepath.ToSlash(strings.TrimPrefix(name, filepath.Join("..", "..")+string(filepath.Separator)))
			for _, call := range opens(t, name) {
				key := rel + " " + call.function
				switch {
				case mayOpen[key] != "":
					used[key] = true
				case mayOpen[filepath.ToSlash(filepath.Dir(rel))] != "":
					used[filepath.ToSlash(filepath.Dir(rel))] = true
				default:
					t.Errorf("%s:%d: %s calls %s, which may hang, or read without a limit: use internal/rawfile", rel, call.line, call.function, call.callee)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for key := range mayOpen {
		if !used[key] {
			t.Errorf("mayOpen lists %q, which opens no file", key)
		}
	}
}

// TestOpensAreFound checks the search of the test above.
func TestOpensAreFound(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.go")
	text := `package x

import (
	"io"
	"os"
	renamed "os"
)

func read(root *os.Root, r io.Reader) {
	os.ReadFile("f")
	renamed.Open("f")
	root.ReadFile("f")
	os.OpenFile("f", os.O_RDWR, 0)
	io.ReadAll(r)
	open := os.Open

	os.OpenFile("f", os.O_WRONLY|os.O_CREATE, 0)
	io.ReadAll(io.LimitReader(r, 9))
	os.ReadDir("d")
}
`
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, call := range opens(t, name) {
		found = append(found, call.line)
	}
	if want := []int{10, 11, 12, 13, 14, 15}; !slices.Equal(found, want) {
		t.Errorf("lines %v, want %v", found, want)
	}
}

// An opening is the use of a function that opens or reads a file.
type opening struct {
	function, callee string
	line             int
}

// opens lists the openings in a file, except those of isHarmless. It lists none of a package for tests.
func opens(t *testing.T, name string) []opening {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	imports := map[string]string{}
	for _, i := range file.Imports {
		importPath, _ := strconv.Unquote(i.Path.Value)
		local := importPath[strings.LastIndexByte(importPath, '/')+1:]
		if i.Name != nil {
			local = i.Name.Name
		}
		imports[local] = importPath
		if importPath == "testing" {
			return nil
		}
		if importPath == "io/ioutil" {
			t.Errorf("%s imports io/ioutil: use internal/rawfile", name)
		}
	}
	var found []opening
	for _, d := range file.Decls {
		function := ""
		if f, ok := d.(*ast.FuncDecl); ok {
			function = f.Name.Name
		}
		harmless := map[*ast.SelectorExpr]bool{}
		ast.Inspect(d, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if callee, ok := call.Fun.(*ast.SelectorExpr); ok && isHarmless(call, callee.Sel.Name) {
					harmless[callee] = true
				}
			}
			s, ok := n.(*ast.SelectorExpr)
			if !ok || harmless[s] {
				return true
			}
			from, isPackage := "", false
			if x, ok := s.X.(*ast.Ident); ok {
				from, isPackage = imports[x.Name]
			}
			if isPackage && slices.Contains(unbounded[from], s.Sel.Name) || !isPackage && slices.Contains(methods, s.Sel.Name) {
				found = append(found, opening{function, s.Sel.Name, files.Position(s.Pos()).Line})
			}
			return true
		})
	}
	return found
}

// isHarmless reports whether a call opens a file for writing only, a directory or no content, or
// reads from a reader with a limit.
func isHarmless(call *ast.CallExpr, callee string) bool {
	if len(call.Args) == 0 {
		return false
	}
	switch callee {
	case "Open", "Openat", "OpenFile":
		harmless := false
		for _, a := range call.Args {
			ast.Inspect(a, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				harmless = harmless || ok && slices.Contains([]string{"O_WRONLY", "O_PATH", "O_DIRECTORY"}, s.Sel.Name)
				return true
			})
		}
		return harmless
	case "ReadAll":
		inner, ok := call.Args[0].(*ast.CallExpr)
		if !ok {
			return false
		}
		s, ok := inner.Fun.(*ast.SelectorExpr)
		return ok && (s.Sel.Name == "LimitReader" || s.Sel.Name == "NewSectionReader")
	}
	return false
}
