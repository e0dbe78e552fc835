package dockerconfig

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/docker/cli/cli/config/configfile"
)

const host = "123456789012.dkr.ecr.us-east-1.amazonaws.com"

func load(t *testing.T, text string) (*File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return f, path
}

func TestSetHelper(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing", "{}", "{\n\t\"credHelpers\": {\n\t\t\"H\": \"ecrkit\"\n\t}\n}"},
		{"empty file", "", "{\n\t\"credHelpers\": {\n\t\t\"H\": \"ecrkit\"\n\t}\n}"},
		{"docker's tabs", "{\n\t\"auths\": {\n\t\t\"a\": {}\n\t},\n\t\"credsStore\": \"x\"\n}",
			"{\n\t\"auths\": {\n\t\t\"a\": {}\n\t},\n\t\"credsStore\": \"x\",\n\t\"credHelpers\": {\n\t\t\"H\": \"ecrkit\"\n\t}\n}"},
		{"spaces, another helper", "{\n  \"credHelpers\": {\n    \"gcr.io\": \"gcloud\"\n  }\n}\n",
			"{\n  \"credHelpers\": {\n    \"gcr.io\": \"gcloud\",\n    \"H\": \"ecrkit\"\n  }\n}\n"},
		{"one line", `{"a":1}`, `{"a":1,"credHelpers":{"H": "ecrkit"}}`},
		{"replaced", `{"credHelpers": {"H" :  "ecr-login" , "b":"c"}}`, `{"credHelpers": {"H" :  "ecrkit" , "b":"c"}}`},
		{"line ends of Windows", "{\r\n\t\"a\": 1\r\n}", "{\r\n\t\"a\": 1,\r\n\t\"credHelpers\": {\r\n\t\t\"H\": \"ecrkit\"\r\n\t}\r\n}"},
		{"case", `{"CredHelpers": {"b":"c"}}`, `{"CredHelpers": {"b":"c","H":"ecrkit"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in, want := strings.ReplaceAll(tt.in, "H\"", host+"\""), strings.ReplaceAll(tt.want, "H\"", host+"\"")
			f, path := load(t, in)
			changed, err := f.SetHelper(host, "ecrkit")
			if err != nil || !changed || string(f.Bytes()) != want {
				t.Fatalf("%v, %v\n got %q\nwant %q", changed, err, f.Bytes(), want)
			}
			if again, err := f.SetHelper(host, "ecrkit"); again || err != nil {
				t.Errorf("again: %v, %v", again, err)
			}
			backup, err := f.Save()
			if err != nil {
				t.Fatal(err)
			}
			if data, err := os.ReadFile(backup); err != nil || string(data) != in {
				t.Errorf("backup: %q, %v", data, err)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			var docker configfile.ConfigFile
			if err := docker.LoadFromReader(bytes.NewReader(f.Bytes())); err != nil || docker.CredentialHelpers[host] != "ecrkit" {
				t.Errorf("docker sees %v, %v", docker.CredentialHelpers, err)
			}
		})
	}
}

func TestRemoveHelper(t *testing.T) {
	for _, in := range []string{"{\n\t\"credHelpers\": {\n\t\t\"gcr.io\": \"gcloud\"\n\t}\n}", `{"credHelpers":{"a":"b"},"z":[1, 2]}`} {
		f, _ := load(t, in)
		if _, err := f.SetHelper(host, "ecrkit"); err != nil {
			t.Fatal(err)
		}
		if changed, err := f.RemoveHelper(host, "other"); changed || err != nil {
			t.Errorf("another's: %v, %v", changed, err)
		}
		changed, err := f.RemoveHelper(host, "ecrkit")
		if !changed || err != nil || string(f.Bytes()) != in {
			t.Errorf("%v, %v: got %q, want %q", changed, err, f.Bytes(), in)
		}
	}
	f, _ := load(t, "{\n\t\"a\": 1\n}")
	_, _ = f.SetHelper(host, "ecrkit")
	if _, err := f.RemoveHelper(host, "ecrkit"); err != nil || string(f.Bytes()) != "{\n\t\"a\": 1\n}" {
		t.Errorf("credHelpers stays: %q, %v", f.Bytes(), err)
	}
}

func TestSetAuth(t *testing.T) {
	f, _ := load(t, "{\n\t\"auths\": {\n\t\t\"a\": {}\n\t}\n}")
	for _, password := range []string{"one", "two"} {
		if err := f.SetAuth(host, "AWS", password); err != nil {
			t.Fatal(err)
		}
		var docker configfile.ConfigFile
		if err := docker.LoadFromReader(bytes.NewReader(f.Bytes())); err != nil {
			t.Fatal(err)
		}
		if a := docker.AuthConfigs[host]; a.Username != "AWS" || a.Password != password {
			t.Errorf("docker sees %q %q", a.Username, a.Password)
		}
	}
}

func TestSaveRefuses(t *testing.T) {
	f, path := load(t, "{}")
	_, _ = f.SetHelper(host, "ecrkit")
	if err := os.WriteFile(path, []byte(`{"a":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Save(); err == nil || !strings.Contains(err.Error(), "changed by somebody else") {
		t.Errorf("got %v", err)
	}
}

func TestSaveFollowsLink(t *testing.T) {
	_, path := load(t, "{}")
	link := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	f, err := Load(link)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.SetHelper(host, "ecrkit")
	if _, err := f.Save(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info.Mode(), err)
	}
	if data, err := os.ReadFile(path); err != nil || !strings.Contains(string(data), "ecrkit") {
		t.Errorf("%q, %v", data, err)
	}
}

func TestSaveNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "config.json")
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if backup, err := f.Save(); backup != "" || err != nil {
		t.Errorf("nothing to save: %q, %v", backup, err)
	}
	_, _ = f.SetHelper(host, "ecrkit")
	if backup, err := f.Save(); backup != "" || err != nil {
		t.Fatalf("%q, %v", backup, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"{\n\"a\":1,\n}": "line 3", "// x\n{}": "line 1", "[]": "not a JSON object", "null": "", "{": "line 1", "\xef\xbb\xbf{}": "line 1",
	} {
		path := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", text, err)
		}
	}
	f, _ := load(t, `{"credHelpers": {}, "CredHelpers": {}}`)
	if _, err := f.SetHelper(host, "ecrkit"); err == nil {
		t.Error("two sections: no error")
	}
	f, _ = load(t, `{"credHelpers": []}`)
	if _, err := f.SetHelper(host, "ecrkit"); err == nil {
		t.Error("a list: no error")
	}
}

func FuzzSetHelper(f *testing.F) {
	for _, text := range []string{"{}", "", `{"credHelpers":{"a":"b"}}`, "{\n\t\"auths\": {}\n}", `{"a":[1,{"b":null}],"CREDHELPERS":{}}`, `{"credHelpers":null}`, `{"a":1e4001}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(bytes.TrimSpace([]byte(text))) == 0 {
			text = "{}"
		}
		if _, err := parse([]byte(text)); err != nil {
			return
		}
		file := &File{path: "config.json", text: []byte(text)}
		had, err := file.Helper(host)
		if err != nil {
			return
		}
		changed, err := file.SetHelper(host, "ecrkit")
		if err != nil {
			if string(file.text) != text {
				t.Fatalf("an error, and %q became %q", text, file.text)
			}
			return
		}
		if now, err := file.Helper(host); err != nil || now != "ecrkit" {
			t.Fatalf("%q became %q: %q, %v", text, file.text, now, err)
		}
		var before, after map[string]any
		for members, text := range map[*map[string]any][]byte{&before: []byte(text), &after: file.text} {
			numbers := json.NewDecoder(bytes.NewReader(text))
			numbers.UseNumber() // as they are written, of any size
			if err := numbers.Decode(members); err != nil {
				t.Fatalf("%q became %q: %v", text, file.text, err)
			}
		}
		for key, value := range before {
			if !strings.EqualFold(key, helpersKey) && !reflect.DeepEqual(after[key], value) {
				t.Fatalf("%q: %s was %v and is %v", text, key, value, after[key])
			}
		}
		if changed && had == "" {
			if _, err := file.RemoveHelper(host, "ecrkit"); err != nil {
				t.Fatal(err)
			}
			if now, _ := file.Helper(host); now != "" {
				t.Fatalf("%q: not removed: %q", text, file.text)
			}
		}
	})
}

// TestSaveSecret stores a password in a file that others can read.
func TestSaveSecret(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o644, 0o660, 0o666, 0o600, 0o400} {
		_, path := load(t, "{}")
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		f, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.SetAuth(host, "AWS", "x"); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Save(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != mode&^0o077 {
			t.Errorf("%v was %v, %v", info.Mode(), mode, err)
		}
	}
}
