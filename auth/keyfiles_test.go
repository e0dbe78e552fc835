package auth

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// TestKeyFilesAreReadAgain has a tool write new access keys into the credentials file, as those do that log people in, while
// a program goes on. What changes the way to the credentials, or is no file any more, changes nothing.
func TestKeyFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "credentials")
	for key, value := range map[string]string{
		"AWS_SHARED_CREDENTIALS_FILE": path, "AWS_CONFIG_FILE": filepath.Join(dir, "config"), "AWS_PROFILE": "work", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "",
	} {
		t.Setenv(key, value)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keys := func(id string) string {
		return "[work]\naws_access_key_id = " + id + "\naws_secret_access_key = secret of " + id + "\naws_session_token = session of " + id + "\n"
	}
	var mu sync.Mutex
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	write(keys("AKIAFIRST"))
	cfg, err := AWS{Now: clock}.Config(t.Context(), local)
	if err != nil {
		t.Fatal(err)
	}
	others, err := AWS{Now: clock}.ConfigWithoutRegistry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	expect := func(when, id string) {
		t.Helper()
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				provider := []aws.CredentialsProvider{cfg.Credentials, others.Credentials}[i%2]
				got, err := provider.Retrieve(t.Context())
				if err != nil || got.AccessKeyID != id || got.SessionToken != "session of "+id {
					t.Errorf("%s: got %q, %v; want %s", when, got.AccessKeyID, err, id)
				}
			})
		}
		group.Wait()
	}
	pass := func() {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(keyFilesMemory)
	}
	expect("at first", "AKIAFIRST")
	write(keys("AKIASECOND"))
	expect("within ten seconds", "AKIAFIRST")
	pass()
	expect("after an hour's login", "AKIASECOND")
	for name, text := range map[string]string{
		"another source": "[work]\nrole_arn = arn:aws:iam::123456789012:role/other\nsource_profile = base\n[base]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = x\n",
		"half a file":    "[work]\naws_access_key_id = AKIAHALF\n",
		"no profile":     "[private]\n",
	} {
		write(text)
		pass()
		expect(name, "AKIASECOND")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	pass()
	expect("without the file", "AKIASECOND")
	write(keys("AKIATHIRD"))
	pass()
	expect("after the next login", "AKIATHIRD")
}
