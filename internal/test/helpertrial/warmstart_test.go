//go:build unix

package helpertrial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecrkit/ecrkit/internal/test/fakeaws"
)

// warm gets a token and reports whether package startup answered. What is
// initialized after it is far more than the AWS SDK: see its TestImports.
func warm(t *testing.T, trial *Trial, extra ...string) (Answer, bool) {
	t.Helper()
	a := get(t, trial, Host, append(extra, "GODEBUG=inittrace=1")...)
	if !strings.Contains(a.Stderr, "init os @") {
		t.Fatalf("no trace of the initialisation: %s", a.Stderr)
	}
	return a, !strings.Contains(a.Stderr, "init reflect @")
}

// profile writes the AWS config file with the keys of a user.
func profile(t *testing.T, trial *Trial, user string) {
	t.Helper()
	var text strings.Builder
	text.WriteString("[default]\n")
	for _, variable := range trial.World.Principals.User(user).Env() {
		key, value, _ := strings.Cut(variable, "=")
		text.WriteString(strings.ToLower(key) + " = " + value + "\n")
	}
	writeFile(t, filepath.Join(trial.Home, ".aws", "config"), text.String())
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// warmed is a trial in which the next get is warm.
func warmed(t *testing.T) (*Trial, Answer) {
	t.Helper()
	trial := start(t)
	profile(t, trial, "A")
	first, ok := warm(t, trial)
	if ok {
		t.Error("the first get initialised nothing of the SDK: this test can't tell")
	}
	second, ok := warm(t, trial)
	if !ok || second.Secret != first.Secret || second.Principal() != "user/A" || trial.Minted() != 1 {
		t.Fatalf("the second get is not warm: token of %q, %d calls\n%s", second.Principal(), trial.Minted(), second.Stderr)
	}
	return trial, first
}

// R37: a warm get ends before the SDK is initialised. What decides about the
// token is noticed when it changes, and leads to the right token all the same.
func TestWarmStart(t *testing.T) {
	t.Parallel()
	config := func(trial *Trial) string { return filepath.Join(trial.Home, ".config", "ecrkit", "config.yaml") }
	for name, test := range map[string]struct {
		change    func(t *testing.T, trial *Trial)
		extra     []string
		principal string
		minted    int
		warm      bool // the get after the change
		later     bool // the one after that
	}{
		"nothing": {func(*testing.T, *Trial) {}, nil, "user/A", 1, true, true},
		"profile": {func(t *testing.T, trial *Trial) { profile(t, trial, "B") }, nil, "user/B", 2, false, true},
		"credentials file": {func(t *testing.T, trial *Trial) {
			profile(t, trial, "B")
			path := filepath.Join(trial.Home, ".aws")
			if err := os.Rename(filepath.Join(path, "config"), filepath.Join(path, "credentials")); err != nil {
				t.Fatal(err)
			}
		}, nil, "user/B", 2, false, true},
		"configuration": {func(t *testing.T, trial *Trial) {
			writeFile(t, filepath.Join(trial.Home, ".aws", "credentials"), "")
			writeFile(t, config(trial), "# none\n")
		}, nil, "user/A", 1, false, true},
		"keychain": {func(t *testing.T, trial *Trial) {
			writeFile(t, config(trial), "cache:\n  keychain: absent\n")
		}, nil, "user/A", 2, false, false},
		"variable":       {func(*testing.T, *Trial) {}, []string{"AWS_PROFILE=default"}, "user/A", 1, false, true},
		"cache disabled": {func(*testing.T, *Trial) {}, []string{"AWS_ECR_DISABLE_CACHE=1"}, "user/A", 2, false, false},
		"log":            {func(*testing.T, *Trial) {}, []string{"ECRKIT_LOG=stderr"}, "user/A", 1, false, false},
		"erase": {func(t *testing.T, trial *Trial) {
			if a, err := trial.Run("erase", Host); err != nil || a.Code != 0 {
				t.Fatal(a, err)
			}
		}, nil, "user/A", 2, false, true},
		"token": {func(t *testing.T, trial *Trial) {
			files, err := trial.CacheFiles()
			if err != nil || len(files) != 1 || os.Remove(files[0]) != nil {
				t.Fatal(files, err)
			}
		}, nil, "user/A", 2, false, true},
		"others may write": {func(t *testing.T, trial *Trial) {
			if err := os.Chmod(shortcuts(t, trial)[0], 0o622); err != nil {
				t.Fatal(err)
			}
		}, nil, "user/A", 1, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trial, first := warmed(t)
			test.change(t, trial)
			a, ok := warm(t, trial, test.extra...)
			if a.Principal() != test.principal || ok != test.warm || trial.Minted() != test.minted {
				t.Errorf("token of %q, warm %t, %d calls", a.Principal(), ok, trial.Minted())
			}
			if (a.Secret == first.Secret) != (test.minted == 1) {
				t.Error("not the token that was expected")
			}
			if a, ok := warm(t, trial, test.extra...); a.Principal() != test.principal || ok != test.later {
				t.Errorf("then: token of %q, warm %t", a.Principal(), ok)
			}
		})
	}
}

// R5: the shortcut to the token of a web identity ends with the file's token and
// when that changes.
func TestWarmStartWebIdentity(t *testing.T) {
	t.Parallel()
	trial := start(t)
	file := fakeaws.TokenFile{Path: filepath.Join(trial.Home, "jwt"), Claims: fakeaws.Claims{Subject: "repo:x"}}
	env := []string{"AWS_WEB_IDENTITY_TOKEN_FILE=" + file.Path, "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/X"}
	for range 3 {
		if _, err := file.Rotate(); err != nil {
			t.Fatal(err)
		}
		if _, ok := warm(t, trial, env...); ok {
			t.Error("a new file was not looked at")
		}
		if _, ok := warm(t, trial, env...); !ok {
			t.Error("not warm")
		}
	}
	wantCalls(t, trial, 1, 1)
}

// R17: whatever is in the file of a shortcut, the answer is right and it heals.
func TestCorruptShortcut(t *testing.T) {
	t.Parallel()
	trial, first := warmed(t)
	path := shortcuts(t, trial)[0]
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(good)
	past := "\nuntil " + "1000000000" + "\n"
	corpus := []string{"", "\n", "{}", "\x00", text + "x", text + text, strings.Repeat("file x\n", 9000), strings.TrimSuffix(text, "\n"),
		strings.Replace(text, "shortcut 1", "shortcut 2", 1), strings.Replace(text, "\nkey ", "\nkey ../", 1), strings.Replace(text, "\nuntil \n", past, 1),
		strings.Replace(text, "\nexpires 1", "\nexpires 2", 1), strings.Replace(text, "\ndigest ", "\ndigest 0", 1), strings.Replace(text, "file ", "file /", 1)}
	for i := 0; i < len(text); i += 41 {
		corpus = append(corpus, text[:i])
	}
	for _, bad := range corpus {
		if bad == text {
			t.Fatal("the corpus has the good file")
		}
		writeFile(t, path, bad)
		if a, ok := warm(t, trial); ok || a.Secret != first.Secret {
			t.Errorf("%.80q: warm %t, token of %q", bad, ok, a.Principal())
		}
		if a, ok := warm(t, trial); !ok || a.Secret != first.Secret {
			t.Errorf("%.80q: not healed", bad)
		}
	}
	wantCalls(t, trial, 1, 0)
}

// A token that is renewed, or near its end, is not taken by a shortcut.
func TestWarmStartExpiry(t *testing.T) {
	t.Parallel()
	trial, first := warmed(t)
	if err := trial.Age(11*time.Hour + 58*time.Minute + 30*time.Second); err != nil {
		t.Fatal(err)
	}
	if a, ok := warm(t, trial); ok || a.Secret == first.Secret {
		t.Errorf("warm %t", ok)
	}
	if _, ok := warm(t, trial); !ok {
		t.Error("not warm again")
	}
}

func shortcuts(t *testing.T, trial *Trial) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(trial.Home, ".cache", "ecrkit", "v1", "*.shortcut"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	return files
}
