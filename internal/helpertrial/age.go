package helpertrial

import (
	"bytes"
	"os"
	"regexp"
	"time"
)

var timestamp = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]+"`)

// Age makes every token of the cache older: all times in its files go back.
func (t *Trial) Age(d time.Duration) error {
	files, err := t.CacheFiles()
	if err != nil {
		return err
	}
	for _, path := range files {
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
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
