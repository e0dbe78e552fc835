package cli

import "testing"

// TestPartSizes has sizes in bytes: a part must fit on the medium that it is named after.
func TestPartSizes(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int64{
		"": 0, "fat32": 4_294_967_295, "dvd": 4_700_372_992, "bd25": 25_025_314_816, "s3": 5_368_709_120,
		"1MiB": 1 << 20, "700MiB": 734_003_200, "4.7GB": 4_700_000_000, "4GiB": 4_294_967_296, "33333333": 33_333_333,
	} {
		if got, err := parsePartSize(s); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"1023KiB", "0", "-1", "floppy", "FAT32", "S3", "MiB", "99999999999GB"} {
		if n, err := parsePartSize(s); err == nil {
			t.Errorf("%q: %d", s, n)
		}
	}
}
