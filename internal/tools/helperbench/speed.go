package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/ecrkit/ecrkit/internal/test/fakeaws"
	"github.com/ecrkit/ecrkit/internal/test/helpertrial"
)

const rounds = 300

// speed measures a get from the cache, start of the process included. The
// helpers and an empty Go program take turns, so that the load of the machine
// is the same for all.
func speed(helpers []helper, dir string, out io.Writer) error {
	empty, err := buildEmpty(dir)
	if err != nil {
		return err
	}
	world := fakeaws.New(fakeaws.Options{})
	if err := world.Listen(); err != nil {
		return err
	}
	defer world.Close()
	keys := world.Principals.User("A").Env()
	var list []*helpertrial.Trial
	for _, h := range append(helpers, helper{"empty Go program", empty}) {
		t, err := helpertrial.New(h.program, dir, world)
		if err != nil {
			return err
		}
		list = append(list, t)
	}
	took := make([][]time.Duration, len(list))
	for range rounds {
		for i, t := range list {
			start := time.Now()
			if _, err := t.Run("get", host, keys...); err != nil {
				return err
			}
			took[i] = append(took[i], time.Since(start))
		}
	}
	base := median(took[len(took)-1])
	fmt.Fprintf(out, "\nA get from the cache, median of %d, including the start of the process (an empty Go program: %.2f ms):\n\n", rounds, ms(base))
	fmt.Fprint(out, "| Helper | Median | Difference to an empty program | Ratio to the first helper |\n|---|---|---|---|\n")
	for i, h := range helpers {
		m := median(took[i])
		fmt.Fprintf(out, "| %s | %.2f ms | %.2f ms | %.2f × |\n", h.name, ms(m), ms(m-base), float64(m)/float64(median(took[0])))
	}
	return nil
}

func median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func buildEmpty(dir string) (string, error) {
	source := filepath.Join(dir, "empty.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		return "", err
	}
	program := filepath.Join(dir, "empty")
	build := exec.Command("go", "build", "-o", program, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GO111MODULE=off")
	build.Stderr = os.Stderr
	return program, build.Run()
}
