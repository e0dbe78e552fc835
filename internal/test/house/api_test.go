package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestAPI reads what importers see of each package: they can name every type of it, and each identifier is explained.
func TestAPI(t *testing.T) {
	all := load(t)
	seen := 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if in(name, "cmd/...", "docs") || slices.Contains(strings.Split(name, "/"), "internal") {
			continue
		}
		seen++
		for _, file := range all[name].files {
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, file, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			a := api{t: t, file: name + "/" + filepath.Base(file), internal: map[string]bool{}}
			for _, spec := range parsed.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(strings.Split(path, "/"), "internal") {
					continue
				}
				local := path[strings.LastIndex(path, "/")+1:]
				if spec.Name != nil {
					local = spec.Name.Name
				}
				a.internal[local] = true
			}
			for _, d := range parsed.Decls {
				a.declaration(d)
			}
		}
	}
	if seen < 15 {
		t.Errorf("importers see only %d packages", seen)
	}
}

// api is what importers see of one file.
type api struct {
	t        *testing.T
	file     string
	internal map[string]bool // names of imported packages that importers cannot import
}

// selfExplaining are methods whose interfaces explain them.
var selfExplaining = []string{"Error", "Is", "Unwrap", "Read", "ReadAt", "Write", "WriteAt", "Close", "String"}

func (a api) declaration(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		what := d.Name.Name
		if d.Recv != nil {
			receiver := receiverOf(d.Recv.List[0].Type)
			if !ast.IsExported(receiver) {
				return
			}
			what = receiver + "." + what
		}
		if !d.Name.IsExported() {
			return
		}
		if d.Doc == nil && (d.Recv == nil || !slices.Contains(selfExplaining, d.Name.Name)) {
			a.t.Errorf("%s: %s is not explained", a.file, what)
		}
		a.types(what, d.Type, typeParameters(d.Type.TypeParams))
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if !spec.Name.IsExported() {
					continue
				}
				if d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
					a.t.Errorf("%s: %s is not explained", a.file, spec.Name.Name)
				}
				if !spec.Assign.IsValid() { // importers can name by an alias what they cannot import
					a.types(spec.Name.Name, spec.Type, typeParameters(spec.TypeParams))
				}
			case *ast.ValueSpec:
				exported := slices.ContainsFunc(spec.Names, (*ast.Ident).IsExported)
				if !exported {
					continue
				}
				if d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
					a.t.Errorf("%s: %s is not explained", a.file, spec.Names[0].Name)
				}
				if spec.Type != nil {
					a.types(spec.Names[0].Name, spec.Type, nil)
				}
			}
		}
	}
}

// types looks for types that importers cannot name in what they see of a type.
func (a api) types(what string, expr ast.Expr, parameters []string) {
	ast.Inspect(expr, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			if len(n.Names) > 0 && !slices.ContainsFunc(n.Names, (*ast.Ident).IsExported) && ast.IsExported(what) && isStructOrInterface(expr) {
				return false // nobody else sees it
			}
			if _, ok := expr.(*ast.StructType); !ok || len(n.Names) > 0 { // of what is embedded, others see what it promotes
				a.named(what, n.Type, parameters)
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && a.internal[x.Name] {
				a.t.Errorf("%s: %s needs %s.%s, which importers cannot name", a.file, what, x.Name, n.Sel.Name)
			}
		}
		return true
	})
}

// named looks at a type that is named in a field, a parameter or a result.
func (a api) named(what string, expr ast.Expr, parameters []string) {
	ast.Inspect(expr, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr, *ast.StructType, *ast.InterfaceType, *ast.FuncType:
			return false
		case *ast.Ident:
			if !n.IsExported() && !slices.Contains(predeclared, n.Name) && !slices.Contains(parameters, n.Name) {
				a.t.Errorf("%s: %s needs %s, which importers cannot name", a.file, what, n.Name)
			}
		}
		return true
	})
}

// predeclared are the types that each package has.
var predeclared = strings.Fields("any bool byte comparable complex128 complex64 error float32 float64 int int16 int32 int64 int8 rune string uint uint16 uint32 uint64 uint8 uintptr")

func isStructOrInterface(expr ast.Expr) bool {
	switch expr.(type) {
	case *ast.StructType, *ast.InterfaceType:
		return true
	}
	return false
}

// typeParameters are the names of the type parameters.
func typeParameters(list *ast.FieldList) (names []string) {
	if list == nil {
		return nil
	}
	for _, field := range list.List {
		for _, name := range field.Names {
			names = append(names, name.Name)
		}
	}
	return names
}

// receiverOf returns the name of the type that has a method.
func receiverOf(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.StarExpr:
		return receiverOf(expr.X)
	case *ast.IndexExpr:
		return receiverOf(expr.X)
	case *ast.Ident:
		return expr.Name
	}
	return ""
}
