package localecr_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/ecrkit/ecrkit/localecr"
)

// TestDamagedSnapshot damages each part of a snapshot: it is refused by name, and the server stays as it was.
func TestDamagedSnapshot(t *testing.T) {
	t.Parallel()
	const database, sum = "metadata.db", "metadata.db.sha256"
	dir := t.TempDir()
	r := newRig(t, localecr.Options{Dir: dir})
	r.create("app")
	r.image("app", aws.String("1.0"))
	keysOf := kms.NewFromConfig(r.srv.AWSConfig())
	alias := aws.String("alias/ecrkit-p256")
	if _, err := keysOf.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: alias}); err != nil {
		t.Fatal(err)
	}
	change := func(name string, f func(data []byte) []byte) func(string) {
		return func(dir string) {
			paths, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(name)))
			if err != nil || len(paths) == 0 {
				t.Fatal(name, paths, err)
			}
			data, err := os.ReadFile(paths[0])
			if err == nil {
				err = os.Remove(paths[0]) // the store has layers as other names of the same files
			}
			if data = f(data); data != nil && err == nil {
				err = os.WriteFile(paths[0], data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(name string) func(string) { return change(name, func([]byte) []byte { return nil }) }
	cut := func(to int) func([]byte) []byte { return func(data []byte) []byte { return data[:to] } }
	page := os.Getpagesize()
	flip := func(data []byte) []byte { // in a value, which has no other check
		i := bytes.Index(data, []byte(`"mediaType":`))
		data[i+1] ^= 1
		return data
	}
	earlier := func(damage func(string)) func(string) { // a snapshot of an earlier version, without the sum
		return func(dir string) {
			remove(sum)(dir)
			damage(dir)
		}
	}
	type damage struct {
		name string
		do   func(dir string)
	}
	cases := []damage{
		{"database missing", remove(database)},
		{"database missing, earlier", earlier(remove(database))},
		{"database empty", change(database, cut(0))},
		{"database empty, earlier", earlier(change(database, cut(0)))},
		{"another file", change(database, func([]byte) []byte { return []byte("not a database") })},
		{"another file, earlier", earlier(change(database, func([]byte) []byte { return []byte("not a database") }))},
		{"two pages", change(database, cut(2*page))},
		{"three pages", change(database, cut(3*page))},
		{"heads alone", earlier(change(database, func(data []byte) []byte { clear(data[2*page:]); return data }))},
		{"a bit of a value", change(database, flip)},
		{"sum empty", change(sum, cut(0))},
		{"sum of another file", change(sum, func(data []byte) []byte { return bytes.Repeat([]byte("0"), 64) })},
		{"layer missing", remove("blobs/sha256/*/*")},
		{"layer short", change("blobs/sha256/*/*", func(data []byte) []byte { return data[1:] })},
		{"layer empty", change("blobs/sha256/*/*", cut(0))},
		{"key of KMS", change("kms/*/*/*.pem", func([]byte) []byte { return []byte("not a key") })},
		{"key of KMS empty", change("kms/*/*/*.pem", cut(0))},
	}
	if page == 4096 { // what a cut file has behind its end is not to be read
		cases = append(cases, damage{"three pages, earlier", earlier(change(database, cut(3*page)))})
	}
	r.wantControl("POST", "snapshot/whole", 200, "ok")
	r.create("later")
	r.image("later", aws.String("2.0"))
	for _, c := range cases {
		r.wantControl("POST", "restore/whole", 200, "ok")
		r.wantControl("POST", "snapshot/damaged", 200, "ok")
		r.create("later")
		r.image("later", aws.String("2.0"))
		c.do(filepath.Join(dir, "snapshots", "damaged"))
		got := r.control("POST", "restore/damaged")
		if got.status != 500 || !bytes.Contains(got.body, []byte(`"snapshot-damaged"`)) || !bytes.Contains(got.body, []byte("restore snapshot damaged")) {
			t.Errorf("%s: %d %s", c.name, got.status, got.body)
			continue
		}
		if names := r.repositories(); names != "app later" {
			t.Errorf("%s: repositories %s", c.name, names)
		}
		for name, tag := range map[string]string{"app": "1.0", "later": "2.0"} {
			if status := r.pullV2(name, tag); status != 200 {
				t.Errorf("%s: pull of %s: %d", c.name, name, status)
			}
		}
		if _, err := keysOf.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: alias}); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		r.wantControl("DELETE", "snapshot/damaged", 200, "ok")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".unfinished-*")); len(left) > 0 {
		t.Error(left)
	}
}
