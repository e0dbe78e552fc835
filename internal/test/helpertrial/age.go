package helpertrial

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// The times in the reference helper's files, and in ours.
var (
	timestamp   = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]+"`)
	nanoseconds = regexp.MustCompile(`(?m)^(issued|renew|expires) (\d+)$`)
)

// Age makes every token of the cache older: all times in its files go back.
func (t *Trial) Age(d time.Duration) error {
	files, err := t.CacheFiles()
	if err != nil {
		return err
	}
	shortcuts, err := filepath.Glob(filepath.Join(t.Home, ".cache", "ecrkit", "v1", "*.shortcut"))
	if err != nil {
		return err
	}
	for _, path := range append(files, shortcuts...) {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data = timestamp.ReplaceAllFunc(data, func(text []byte) []byte {
			at, err := time.Parse(time.RFC3339Nano, string(bytes.Trim(text, `"`)))
			if err != nil {
				return text
			}
			return []byte(`"` + at.Add(-d).Format(time.RFC3339Nano) + `"`)
		})
		data = nanoseconds.ReplaceAllFunc(data, func(text []byte) []byte {
			name, value, _ := bytes.Cut(text, []byte(" "))
			at, err := strconv.ParseInt(string(value), 10, 64)
			if err != nil {
				return text
			}
			return strconv.AppendInt(append(name[:len(name):len(name)], ' '), at-int64(d), 10)
		})
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
