package minisign

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func file(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func password(s string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(s), nil }
}

// TestSign compares signatures with what minisign 0.11 has written.
func TestSign(t *testing.T) {
	t.Parallel()
	want := file(t, "hello.txt.minisig")
	for name, data := range map[string][]byte{
		"plain": file(t, "plain.key"), "encrypted": file(t, "encrypted.key"),
		"with CRLF": []byte(strings.ReplaceAll(string(file(t, "plain.key")), "\n", "\r\n")),
	} {
		key, err := ParseSecretKey(data, password("secret"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := key.Sign("hello.txt", []byte("hello\n"), time.Unix(1796040610, 0)); string(got) != string(want) {
			t.Errorf("%s: signature is\n%s\nand that of minisign\n%s", name, got, want)
		}
	}
}

// TestVerify lets a key verify signatures that minisign 0.11 has written, and others.
func TestVerify(t *testing.T) {
	t.Parallel()
	signature := string(file(t, "hello.txt.minisig"))
	for name, public := range map[string]string{
		"as it is": string(file(t, "plain.pub")), "with CRLF": strings.ReplaceAll(string(file(t, "plain.pub")), "\n", "\r\n"),
		"another comment": strings.Replace(string(file(t, "plain.pub")), "minisign public key", "site", 1), "no comment": "untrusted comment:" + string(file(t, "plain.pub"))[strings.Index(string(file(t, "plain.pub")), "\n"):],
	} {
		key, err := ParsePublicKey([]byte(public))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := key.Verify([]byte("hello\n"), []byte(signature)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := key.Verify([]byte("hello\n"), []byte(signature+"\n\n\n")); err != nil {
			t.Errorf("%s, padded: %v", name, err)
		}
		for wrong, s := range map[string]string{
			"changed comment": strings.Replace(signature, "hello.txt", "hallo.txt", 1), "no signature": "", "cut": signature[:200],
			"of another key": strings.Replace(signature, "RURR8Ep", "RURR8Eq", 1),
		} {
			if err := key.Verify([]byte("hello\n"), []byte(s)); !errors.Is(err, ErrUnsigned) {
				t.Errorf("%s: %v", wrong, err)
			}
		}
		if err := key.Verify([]byte("hallo\n"), []byte(signature)); !errors.Is(err, ErrUnsigned) {
			t.Errorf("another message: %v", err)
		}
	}
}

func TestWrongKeys(t *testing.T) {
	t.Parallel()
	if _, err := ParseSecretKey(file(t, "encrypted.key"), password("Secret")); !errors.Is(err, ErrPassword) {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := ParseSecretKey(file(t, "plain.pub"), nil); !errors.Is(err, ErrPublic) {
		t.Errorf("public key: %v", err)
	}
	for _, name := range []string{"plain.key", "encrypted.key"} {
		if _, err := ParsePublicKey(file(t, name)); !errors.Is(err, ErrSecret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{"", comment, comment + " x\n", comment + " x\nAAAA", comment + " x\n" + strings.Repeat("A", publicLen), comment + " x\n" + strings.Repeat("A", 212), string(file(t, "hello.txt.minisig"))} {
		if _, err := ParsePublicKey([]byte(text)); err == nil {
			t.Errorf("%q is a public key", text)
		}
		if _, err := ParseSecretKey([]byte(text), password("")); err == nil {
			t.Errorf("%q is a secret key", text)
		}
	}
}
