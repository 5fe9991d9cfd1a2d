package report

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/golden"
	"github.com/reconcile-ml/reconcile/internal/packages"
	"github.com/reconcile-ml/reconcile/internal/runrecord"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// documents are the types of JSON outputs, by the name of their schema.
var documents = map[string]struct {
	title string
	of    any
}{
	"plan":     {"What `reconcile plan --json` prints: what apply would do", planDocument{}},
	"events":   {"A line of what `reconcile apply --json` prints while it works", eventLine{}},
	"summary":  {"The last line of `reconcile apply --json`, and what `reconcile runs show --json` prints", runrecord.Record{}},
	"status":   {"What `reconcile status --json` prints", statusDocument{}},
	"facts":    {"What `reconcile facts` prints: one machine as data", factsDocument{}},
	"doctor":   {"What `reconcile doctor --json` prints", doctorDocument{}},
	"compare":  {"What `reconcile compare --json` prints", compareDocument{}},
	"graph":    {"What `reconcile graph --json` prints", graphDocument{}},
	"runs":     {"What `reconcile runs --json` prints", runsDocument{}},
	"store":    {"What `reconcile store --json` prints", storeDocument{}},
	"prune":    {"What `reconcile store prune --json` prints", pruneDocument{}},
	"reason":   {"What `reconcile explain ADDR --json` prints", Reason{}},
	"tree":     {"What `reconcile tree --json` prints", packages.TreeDocument{}},
	"why":      {"What `reconcile why PACKAGE --json` prints", packages.ReasonDocument{}},
	"export":   {"What `reconcile export --json` prints", packages.ExportDocument{}},
	"audit":    {"What `reconcile audit --json` prints", Audit{}},
	"problems": {"What a command with --json prints if it fails", problemsDocument{}},
}

// factsDocument is the type of facts.Facts, which has its own encoding.
type factsDocument struct {
	Version int                              `json:"version"`
	Facts   map[string]map[string]any        `json:"facts"`            // by kind, then by name
	Failed  map[facts.Kind]map[string]string `json:"failed,omitempty"` // why a fact could not be probed
}

// factTypes are the facts by their kind.
var factTypes = map[facts.Kind]facts.Fact{
	facts.KindProject: facts.Project{}, facts.KindHost: facts.Host{}, facts.KindGPU: facts.GPU{}, facts.KindNvidia: facts.Nvidia{},
	facts.KindToolkit: facts.Toolkit{}, facts.KindIndex: facts.Index{}, facts.KindPath: facts.Path{}, facts.KindDisk: facts.Disk{},
	facts.KindPython: facts.Pythons{}, facts.KindTool: facts.Tool{}, facts.KindEnvironment: facts.Environment{}, facts.KindModel: facts.Model{},
	facts.KindFolder: facts.Folder{}, facts.KindTree: facts.Tree{},
}

// stepTypes are the steps, each encoded as an object with one member.
var stepTypes = []resources.Step{
	resources.MakeDir{}, resources.WriteFile{}, resources.SetMode{}, resources.Link{}, resources.Move{}, resources.Remove{}, resources.Fetch{}, resources.Run{},
	resources.Build{}, resources.Unpack{}, resources.FetchWheel{}, resources.Assemble{}, resources.Compile{}, resources.SmokeTest{}, resources.Seal{}, resources.Switch{},
}

// TestSchemas compares docs/schema with the types and their comments; -update rewrites it.
func TestSchemas(t *testing.T) {
	doc := readComments(t)
	if len(stepTypes) != len(resources.StepNames()) {
		t.Errorf("%d of %d steps have a schema", len(stepTypes), len(resources.StepNames()))
	}
	for kind := range doc.consts {
		if factTypes[facts.Kind(kind)] == nil && facts.Kind(kind) != facts.KindCheck { // which is no fact
			t.Errorf("facts of kind %s have no schema", kind)
		}
	}
	for name, d := range documents {
		w := &schemaWriter{doc: doc, defs: map[string]any{}}
		schema := w.object(reflect.TypeOf(d.of))
		schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
		schema["title"] = d.title
		delete(schema, "description") // of the type, like the title
		schema["properties"].(map[string]any)["version"] = map[string]any{"const": Version, "description": "of the format; members may be added within it"}
		switch name {
		case "facts":
			schema["properties"].(map[string]any)["facts"] = w.facts()
		case "summary":
			schema["properties"].(map[string]any)["kind"] = map[string]any{"const": "summary"}
		}
		if len(w.defs) > 0 {
			schema["$defs"] = w.defs
		}
		text, err := json.MarshalIndent(schema, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden.Check(t, filepath.Join("..", "..", "docs", "schema", name+".v1.json"), append(text, '\n'))
	}
}

// schemaWriter converts types to schemas, each named struct once.
type schemaWriter struct {
	doc  *comments
	defs map[string]any
}

// facts returns the schema of all facts, by kind.
func (w *schemaWriter) facts() map[string]any {
	kinds := map[string]any{}
	for kind, fact := range factTypes {
		kinds[string(kind)] = map[string]any{"type": "object", "additionalProperties": w.of(reflect.TypeOf(fact)), "description": w.doc.consts[string(kind)]}
	}
	return map[string]any{"type": "object", "description": "by kind, then by name", "properties": kinds}
}

// steps returns the schema of a list of steps.
func (w *schemaWriter) steps() map[string]any {
	var forms []any
	for _, s := range stepTypes {
		name := resources.StepName(s)
		forms = append(forms, map[string]any{
			"type": "object", "required": []string{name}, "properties": map[string]any{name: w.of(reflect.TypeOf(s))},
		})
	}
	return map[string]any{"type": "array", "items": map[string]any{"oneOf": forms}, "description": "how it is done, in order; each an object with one member, the word of the step"}
}

// of returns the schema of a type.
func (w *schemaWriter) of(t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[time.Duration]():
		return map[string]any{"type": "integer", "description": "nanoseconds"}
	case reflect.TypeFor[facts.SHA256]():
		return map[string]any{"type": "string", "pattern": "^([0-9a-f]{64})?$"}
	case reflect.TypeFor[facts.Mode]():
		return map[string]any{"type": "string", "pattern": "^[0-7]{4,}$"}
	case reflect.TypeFor[resources.Addr]():
		return map[string]any{"type": "string", "pattern": `^[^.]+\..`, "description": "kind.name"}
	case reflect.TypeFor[facts.Key]():
		return map[string]any{"type": "string", "pattern": "^[a-z]+:", "description": "kind:name"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return w.of(t.Elem())
	case reflect.String:
		schema := map[string]any{"type": "string"}
		if values := w.doc.enums[t.String()]; values != nil {
			schema["enum"] = values
		}
		return schema
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": w.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": w.of(t.Elem())}
	case reflect.Struct:
		name := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(t.String(), "report."), "runrecord."), "packages.")
		if _, ok := w.defs[name]; !ok {
			w.defs[name] = nil // while it is written
			w.defs[name] = w.object(t)
		}
		return map[string]any{"$ref": "#/$defs/" + name}
	case reflect.Interface:
		return map[string]any{}
	}
	panic("no schema for " + t.String())
}

// object returns the schema of a struct with the members of embedded structs.
func (w *schemaWriter) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	w.members(t, properties, &required)
	slices.Sort(required)
	schema := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	if text := w.doc.types[t.String()]; text != "" {
		schema["description"] = text
	}
	return schema
}

// members adds the members of a struct. Members of embedded structs are hidden as in
// encoding/json.
func (w *schemaWriter) members(t reflect.Type, properties map[string]any, required *[]string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var embedded []reflect.Type
	for field := range fields(t) {
		tag := field.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case field.Anonymous && name == "":
			embedded = append(embedded, field.Type)
			continue
		case name == "-" || !field.IsExported() || properties[name] != nil:
			continue
		case name == "":
			panic(t.String() + "." + field.Name + " has no name in JSON")
		}
		var schema map[string]any
		if field.Type == reflect.TypeFor[json.RawMessage]() {
			schema = w.steps()
		} else {
			schema = w.of(field.Type)
		}
		optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		if text := w.doc.fields[t.String()+"."+field.Name]; text != "" {
			schema["description"] = text
		}
		if !optional {
			*required = append(*required, name)
			if kind := field.Type.Kind(); schema["type"] == "array" && kind == reflect.Slice {
				schema["type"] = []string{"array", "null"}
			}
		}
		properties[name] = schema
	}
	for _, e := range embedded {
		w.members(e, properties, required)
	}
}

// fields iterates over the fields of a struct.
func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// comments are the comments of types and fields, and the values of string types.
type comments struct {
	types, fields, consts map[string]string // consts: the kinds of facts
	enums                 map[string][]string
}

// readComments reads the packages of the printed types.
func readComments(t *testing.T) *comments {
	c := &comments{map[string]string{}, map[string]string{}, map[string]string{}, map[string][]string{}}
	for _, dir := range []string{".", "../facts", "../../pkg/resources", "../../pkg/planner", "../apply", "../runrecord", "../diag", "../compare", "../packages"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no sources in %s: %v", dir, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			c.read(file)
		}
	}
	for _, values := range c.enums {
		slices.Sort(values)
	}
	return c
}

func (c *comments) read(file *ast.File) {
	pkg := file.Name.Name + "."
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range group.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				doc := spec.Doc
				if doc == nil {
					doc = group.Doc
				}
				c.types[pkg+spec.Name.Name] = oneLine(doc)
				if s, ok := spec.Type.(*ast.StructType); ok {
					c.readFields(pkg+spec.Name.Name, s)
				}
			case *ast.ValueSpec:
				c.readValue(pkg, group.Tok, spec)
			}
		}
	}
}

func (c *comments) readFields(name string, s *ast.StructType) {
	for _, f := range s.Fields.List {
		text := oneLine(f.Doc)
		if text == "" {
			text = oneLine(f.Comment)
		}
		for _, id := range f.Names {
			c.fields[name+"."+id.Name] = text
		}
	}
}

// readValue keeps a constant with a type and a value.
func (c *comments) readValue(pkg string, tok token.Token, spec *ast.ValueSpec) {
	of, ok := spec.Type.(*ast.Ident)
	if !ok || tok != token.CONST || len(spec.Values) != 1 {
		return
	}
	literal, ok := spec.Values[0].(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return
	}
	value, err := strconv.Unquote(literal.Value)
	if err != nil {
		return
	}
	c.enums[pkg+of.Name] = append(c.enums[pkg+of.Name], value)
	if text := oneLine(spec.Comment); pkg+of.Name == "facts.Kind" {
		c.consts[value] = text
	}
}

func oneLine(doc *ast.CommentGroup) string {
	return strings.Join(strings.Fields(doc.Text()), " ")
}
