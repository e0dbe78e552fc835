package doctor

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// dockerLogin examines passwords that docker login stored.
type dockerLogin struct{}

// Run implements [Check].
func (dockerLogin) Run(ctx context.Context, s *Session) Finding {
	var logins []storedLogin
	var helper string
	s.know(func(f *facts) { logins, helper = f.docker.logins, f.docker.helper })
	switch {
	case s.Subject.Host == "":
		return skipped("no registry was named")
	case len(logins) == 0:
		return skipped("no password is stored for the host")
	case !s.Subject.isECR():
		return skipped("the stored password is not one of Amazon ECR")
	}
	f := ok("")
	for _, l := range logins {
		if f = s.judgeLogin(ctx, l); f.Status != OK {
			break
		}
	}
	if f.Status == Failed && helper != "" {
		f.Status = Warning // docker does not use it
	}
	return f
}

func (s *Session) judgeLogin(ctx context.Context, l storedLogin) Finding {
	renew := []string{fmt.Sprintf("Run `docker logout %s` and `ecrkit auth setup %s`: the helper renews the token.", s.Subject.Host, s.Subject.Host)}
	expires, isToken := expiration(l.Password)
	now := s.Now()
	switch {
	case l.Username != "AWS":
		return failed(fmt.Sprintf("%s has the user %q: Amazon ECR has the user AWS alone", l.place(), l.Username), renew...)
	case isToken && !now.Before(expires):
		return failed(fmt.Sprintf("the password of %s expired %s ago: \"Your authorization token has expired\"", l.place(), hoursOrMinutes(now.Sub(expires))), renew...)
	case !s.reachedRegistry():
		return skipped("the registry can't be reached to try the stored password")
	}
	status, err := Present(ctx, s.client(ctx), s.Subject.Registry, l.Password)
	switch {
	case err != nil:
		return skipped("the registry can't be reached to try the stored password")
	case status == http.StatusOK && isToken:
		return ok(fmt.Sprintf("the stored password is valid until %s", expires.UTC().Format(time.RFC3339)))
	case status == http.StatusOK:
		return ok("the stored password is accepted")
	case status == http.StatusTooManyRequests:
		s.throttled("GET /v2/")
		return skipped("the registry throttles requests")
	}
	return failed(fmt.Sprintf("the registry answers %d to the password of %s: it is for another region than %s, or no longer valid", status, l.place(), s.Subject.Registry.Region), renew...)
}

// expiration returns when a password expires that is a token of Amazon ECR: base64 of
// JSON, which has the time in seconds. AWS does not document it.
func expiration(password string) (time.Time, bool) {
	data, err := base64.StdEncoding.DecodeString(password)
	if err != nil {
		return time.Time{}, false
	}
	var envelope struct {
		Expiration int64 `json:"expiration"`
	}
	if json.Unmarshal(data, &envelope) != nil || envelope.Expiration == 0 {
		return time.Time{}, false
	}
	return time.Unix(envelope.Expiration, 0), true
}

// hoursOrMinutes returns a duration in hours, or in minutes if it is short.
func hoursOrMinutes(d time.Duration) string {
	if d < time.Hour {
		return count(max(1, int(d.Minutes())), "minute")
	}
	return count(int(d.Hours()), "hour")
}
