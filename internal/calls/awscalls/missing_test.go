package awscalls

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/smithy-go/middleware"
)

// TestNeedCredentials has a stand-in for the SDK's answers: a true one ends a program that has no such middleware.
func TestNeedCredentials(t *testing.T) {
	t.Parallel()
	type answer struct{ RoleCredentials *int }
	keys := 2
	for name, test := range map[string]struct {
		result any
		want   string // "" is taken
	}{
		"no member of these":  {&struct{ Other *int }{}, ""},
		"nothing":             {nil, ""},
		"list":                {&struct{ RoleCredentials []string }{}, ""},
		"no role credentials": {&answer{}, "has no RoleCredentials"},
		"all":                 {&answer{&keys}, ""},
	} {
		stack := middleware.NewStack("test", func() any { return nil })
		if err := NeedCredentials(stack); err != nil {
			t.Fatal(err)
		}
		handler := middleware.HandlerFunc(func(context.Context, any) (any, middleware.Metadata, error) {
			return test.result, middleware.Metadata{}, nil
		})
		_, _, err := stack.Initialize.HandleMiddleware(t.Context(), nil, handler)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
