package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// compare checks without ecrkit's own code that the layout pulled holds the manifest root and no other, and
// under it exactly the blobs of the layout pushed. It returns the number of the blobs.
func compare(pushed, pulled, root string) (blobs int, err error) {
	var index struct{ Manifests []struct{ Digest string } }
	data, err := os.ReadFile(filepath.Join(pulled, "index.json"))
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return 0, fmt.Errorf("%s: %w", filepath.Join(pulled, "index.json"), err)
	}
	if len(index.Manifests) != 1 || index.Manifests[0].Digest != root {
		return 0, fmt.Errorf("the pulled layout has %v, want %s alone", index.Manifests, root)
	}
	const dir = "blobs/sha256"
	want, err := os.ReadDir(filepath.Join(pushed, dir))
	if err != nil {
		return 0, err
	}
	got, err := os.ReadDir(filepath.Join(pulled, dir))
	if err != nil {
		return 0, err
	}
	if len(got) != len(want) {
		return 0, fmt.Errorf("%d blobs were pulled, %d were pushed", len(got), len(want))
	}
	for _, blob := range want {
		sent, err := os.ReadFile(filepath.Join(pushed, dir, blob.Name()))
		if err != nil {
			return 0, err
		}
		received, err := os.ReadFile(filepath.Join(pulled, dir, blob.Name()))
		if err != nil {
			return 0, err
		}
		if sum := sha256.Sum256(received); !bytes.Equal(sent, received) || hex.EncodeToString(sum[:]) != blob.Name() {
			return 0, fmt.Errorf("blob sha256:%s differs from what was pushed", blob.Name())
		}
	}
	return len(want), nil
}
