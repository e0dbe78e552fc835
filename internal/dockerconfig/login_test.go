package dockerconfig

import (
	"fmt"
	"strings"
	"testing"
)

func TestLogins(t *testing.T) {
	f, _ := load(t, `{"auths": {
		"https://`+host+`/v2/": {"auth": "QVdTOnBhc3N3b3Jk"},
		"`+host+`": {},
		"other.example": {"auth": "QVdTOng="}
	}}`)
	logins, err := f.Logins(host)
	if err != nil || len(logins) != 1 || logins[0].Username != "AWS" || logins[0].Password != "password" || logins[0].Key != "https://"+host+"/v2/" {
		t.Errorf("%v, %v", logins, err)
	}
	if text := fmt.Sprintf("%v %+v %#v", logins, logins, logins); strings.Contains(text, "password") {
		t.Error("the password is printed: " + text)
	}
	for _, auth := range []string{`{"auth": "!"}`, `{"auth": "QVdT"}`, `[]`} {
		f, _ := load(t, `{"auths": {"`+host+`": `+auth+`}}`)
		if logins, err := f.Logins(host); err == nil || !strings.Contains(err.Error(), host) {
			t.Errorf("%s: %v, %v", auth, logins, err)
		}
	}
}
