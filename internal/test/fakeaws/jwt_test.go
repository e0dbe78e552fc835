package fakeaws

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestJWT(t *testing.T) {
	at := time.Unix(1_900_000_000, 0)
	for _, c := range []Claims{
		{Subject: "s", ExpiresAt: at},
		{Issuer: "https://ci.example", Subject: "s", Audience: []string{"a"}, ID: "1", IssuedAt: at, ExpiresAt: at},
		{Issuer: "i", Subject: "s", Audience: []string{"a"}, Array: true, IssuedAt: at, ExpiresAt: at},
		{Issuer: "i", Subject: "s", Audience: []string{"a", "b"}, Array: true, IssuedAt: at, ExpiresAt: at},
	} {
		token := JWT(c)
		got, err := ReadJWT(token)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		want := c
		if want.Issuer == "" {
			want.Issuer, want.Audience, want.IssuedAt = Issuer, []string{"sts.amazonaws.com"}, got.IssuedAt
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		for _, broken := range []string{"", "..", token + ".x", strings.TrimSuffix(token, ".") + ".", token[1:], strings.Replace(token, ".", ".!", 1), JWT(Claims{Subject: "s", ExpiresAt: time.Unix(-1, 0)})} {
			if _, err := ReadJWT(broken); err == nil || err.Error() != errJWT.Error() {
				t.Errorf("%d characters: %v", len(broken), err)
			}
		}
	}
}

func TestTokenFile(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	f := &TokenFile{Path: filepath.Join(t.TempDir(), "secrets", "token"), Claims: Claims{Subject: "s"}, Now: func() time.Time { return now }}
	first := must[string](t)(f.Rotate())
	second := must[string](t)(f.Rotate())
	if first == second {
		t.Error("two tokens of the same second are the same")
	}
	now = now.Add(time.Hour)
	third := must[string](t)(f.Rotate())
	a, b := must[Claims](t)(ReadJWT(first)), must[Claims](t)(ReadJWT(third))
	if a.Issuer != b.Issuer || a.Subject != b.Subject || !reflect.DeepEqual(a.Audience, b.Audience) || !b.ExpiresAt.Equal(now.Add(time.Hour)) || !a.IssuedAt.Before(b.IssuedAt) {
		t.Errorf("%+v, then %+v", a, b)
	}
	content, err := os.ReadFile(f.Path)
	if err != nil || string(content) != third {
		t.Error(err)
	}
	if info, err := os.Stat(f.Path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	if left := must[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(f.Path))); len(left) != 1 {
		t.Errorf("%d files", len(left))
	}
	f.Path = filepath.Join(f.Path, "below", "a", "file")
	if _, err := f.Rotate(); err == nil {
		t.Error("a token below a file")
	}
}
