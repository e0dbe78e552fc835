package authority

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestOpenKeepsCertificate leaves a certificate whose key is missing as it is.
func TestOpenKeepsCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, CAFile)
	if err := os.WriteFile(path, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), dir)
	if err == nil || !strings.Contains(err.Error(), "without ca.key") {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadFile(path); err != nil || string(left) != "another" {
		t.Errorf("the certificate is %q, %v", left, err)
	}
}

// TestOpenTogether has many servers open the same directory at their first start: all have one authority.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opened := make([]*Authority, 16)
	var servers sync.WaitGroup
	for i := range opened {
		servers.Go(func() {
			a, err := Open(t.Context(), dir)
			if err != nil {
				t.Error(err)
			}
			opened[i] = a
		})
	}
	servers.Wait()
	for _, a := range opened {
		if a == nil || !a.Certificate.Equal(opened[0].Certificate) {
			t.Fatal("servers have different authorities")
		}
	}
}
