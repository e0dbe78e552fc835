package codepages

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const sample = `00400000-01a00000 r-xp 00000000 fe:00 1234                               /usr/bin/ecr kit
Rss:               16000 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
01a00000-02c00000 r--p 01600000 fe:00 1234                               /usr/bin/ecr kit
Anonymous:             4 kB
Swap:                  0 kB
02c00000-02c10000 r--p 02800000 fe:00 1234                               /usr/bin/ecr kit
Anonymous:             0 kB
Swap:                  8 kB
02c10000-02c20000 r--p 02810000 fe:00 1234                               /usr/bin/ecr kit
Anonymous:             0 kB
Swap:                  0 kB
02c20000-02d00000 rw-p 02820000 fe:00 1234                               /usr/bin/ecr kit
Anonymous:             0 kB
Swap:                  0 kB
02d00000-02e00000 r--s 02820000 fe:00 1234                               /usr/bin/ecr kit
Anonymous:             0 kB
Swap:                  0 kB
7f0000000000-7f0000001000 r-xp 00000000 fe:00 99                         /usr/lib/libc.so.6
Anonymous:             0 kB
Swap:                  0 kB
7f0000002000-7f0000003000 r--p 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
`

func TestUnchanged(t *testing.T) {
	t.Parallel()
	got, err := unchanged(strings.NewReader(sample), "/usr/bin/ecr kit")
	want := []addresses{{0x400000, 0x1a00000}, {0x2c10000, 0x2c20000}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("unchanged = %#x, %v, want %#x", got, err, want)
	}
}

// resident returns how many KiB of the program's file are in the resident set.
func resident(t *testing.T) int {
	t.Helper()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); fields[0] == "RssFile:" {
			n, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no RssFile in /proc/self/status")
	return 0
}

// TestRelease has fewer pages after it, and a program that goes on.
func TestRelease(t *testing.T) {
	before := resident(t)
	Release()
	if after := resident(t); after >= before {
		t.Errorf("%d KiB of the program are resident after Release, %d before", after, before)
	}
}
