package mirror_test

import (
	"testing"

	"github.com/ecrkit/ecrkit/mirror"
)

func FuzzParsePlan(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"version":1,"repositories":[{"source":"a/b","destination":"c/d"}]}`))
	f.Add([]byte(`{"version":1,"version":2}`))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = mirror.ParsePlan(data) })
}
