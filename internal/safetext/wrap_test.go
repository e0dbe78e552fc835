package safetext

import (
	"strings"
	"testing"
)

func TestField(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	for name, tt := range map[string]struct {
		name, value string
		columns     int
		want        string
	}{
		"short":       {"Size", "3 MiB", 80, "Size:        3 MiB\n"},
		"no terminal": {"Config", digest + " (application/vnd.oci.image.config.v1+json, 1.2 KiB)", 0, "Config:      " + digest + " (application/vnd.oci.image.config.v1+json, 1.2 KiB)\n"},
		"digest":      {"Digest", digest, 80, "Digest: " + digest + "\n"},
		"digest and more": {
			"Config", digest + " (application/vnd.oci.image.config.v1+json, 1.2 KiB)", 80,
			"Config: " + digest + "\n    (application/vnd.oci.image.config.v1+json, 1.2 KiB)\n",
		},
		"words": {
			"Gate", "failed, 3 CRITICAL, 4 HIGH and 5 MEDIUM findings of 12", 40,
			"Gate:        failed, 3 CRITICAL, 4 HIGH\n             and 5 MEDIUM findings of 12\n",
		},
		"a long word is whole": {"Digest", digest, 40, "Digest: " + digest + "\n"},
	} {
		if got := Field(tt.name, tt.value, 12, tt.columns); got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, tt.want)
		}
	}
}
