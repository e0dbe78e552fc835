package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// TestNothingIsCompiledAtStart looks for regular expressions that every start of a program
// would compile, whether it uses them or not: internal/lazyregexp has the gain.
func TestNothingIsCompiledAtStart(t *testing.T) {
	lazy := 0
	for name, p := range load(t) {
		if !isProduct(name) || name == "internal/lazyregexp" {
			continue
		}
		for _, file := range p.files {
			files := token.NewFileSet()
			parsed, err := parser.ParseFile(files, file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range parsed.Decls {
				if _, isFunc := decl.(*ast.FuncDecl); isFunc {
					continue
				}
				ast.Inspect(decl, func(n ast.Node) bool {
					if _, later := n.(*ast.FuncLit); later {
						return false
					}
					call, ok := n.(*ast.SelectorExpr)
					if !ok {
						return true
					}
					switch from, _ := call.X.(*ast.Ident); {
					case from == nil:
					case from.Name == "regexp" && call.Sel.Name == "MustCompile":
						t.Errorf("%s: compiled at start: use internal/lazyregexp", files.Position(call.Pos()))
					case from.Name == "lazyregexp" && call.Sel.Name == "New":
						lazy++
					}
					return true
				})
			}
		}
	}
	if lazy == 0 {
		t.Error("no package uses internal/lazyregexp")
	}
}
