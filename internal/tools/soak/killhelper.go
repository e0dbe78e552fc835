//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
)

const (
	helperCase      = "credential helper, 4 processes"
	helperProcesses = 4
	helperUsers     = 50
)

// helperAccounts are users, each of whom has a token of its own.
func helperAccounts() []localecr.Account {
	account := localecr.DefaultAccounts()[0]
	for i := range helperUsers {
		account.Users = append(account.Users, localecr.User{Name: fmt.Sprintf("u%d", i), AccessKeyID: fmt.Sprintf("AKIASOAK%012d", i), SecretAccessKey: fmt.Sprintf("soak+secret+of+user+number+%012d", i)})
	}
	return []localecr.Account{account}
}

// keys is the environment of user i.
func keys(i int) []string {
	u := helperAccounts()[0].Users[1+i]
	return []string{"AWS_ACCESS_KEY_ID=" + u.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + u.SecretAccessKey}
}

// token reads what the helper has printed; "" for nothing.
func token(stdout string) string {
	var answer struct{ Secret string }
	if json.Unmarshal([]byte(stdout), &answer) != nil {
		return ""
	}
	return answer.Secret
}

// checkToken returns an error unless the registry takes the token as that of user i.
func (st *site) checkToken(secret string, i int) error {
	r, err := http.NewRequestWithContext(st.soak.ctx, http.MethodGet, st.server.URL+"/v2/", nil)
	if err != nil {
		return err
	}
	r.SetBasicAuth("AWS", secret)
	st.calls.Reset()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	_ = answer.Body.Close() // not read
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the registry answers %s to the token of u%d", answer.Status, i)
	}
	for _, c := range st.calls.Calls() {
		if !strings.HasSuffix(c.Principal, fmt.Sprintf("/u%d", i)) {
			return fmt.Errorf("u%d got the token of %s", i, c.Principal)
		}
	}
	return nil
}

// cacheFile are the names that the cache may hold when nobody uses it.
var cacheFile = regexp.MustCompile(`^([0-9a-f]+\.(token|lock|shortcut)|hosts)$`)

// cacheLeftovers returns what else is in the cache.
func (st *site) cacheLeftovers(dir string) (found []string) {
	entries, _ := os.ReadDir(dir) // which need not exist
	for _, e := range entries {
		if !cacheFile.MatchString(e.Name()) {
			found = append(found, e.Name())
		}
	}
	return found
}

// killHelper has four processes ask for the token of a user that the cache does not have yet, and kills one or two
// of them at a random time.
func (s *soak) killHelper(ctx context.Context, t *tally, kills int) (err error) {
	if kills == 0 {
		return nil
	}
	st, err := s.site(localecr.Options{Accounts: helperAccounts()})
	if err != nil {
		return err
	}
	defer func() { err = joinClose(err, st) }()
	dice := rand.New(rand.NewPCG(s.seed, 1<<20))
	get := func(i int) (outcome, error) {
		p, err := st.start(keys(i), "docker-credential-ecrkit", st.server.Registry, "get")
		if err != nil {
			return outcome{}, err
		}
		return p.wait(st), nil
	}
	usual := 50 * time.Millisecond
	acknowledged := map[int]string{} // the tokens of users
	for n := 0; t.Runs < kills && ctx.Err() == nil; n++ {
		user := n % helperUsers
		if user == 0 { // all are there: begin again
			if err := os.RemoveAll(st.path("home", ".cache")); err != nil {
				return err
			}
			clear(acknowledged)
		}
		victims := map[int]bool{dice.IntN(helperProcesses): true, dice.IntN(helperProcesses): true}
		var all []*process
		for i := range helperProcesses {
			p, err := st.start(keys(user), "docker-credential-ecrkit", st.server.Registry, "get")
			if err != nil {
				return err
			}
			if victims[i] {
				timer := time.AfterFunc(time.Duration(dice.Float64()*1.5*float64(usual)), p.kill)
				defer timer.Stop()
			}
			all = append(all, p)
		}
		for i, p := range all {
			o := p.wait(st)
			if ctx.Err() != nil {
				continue
			}
			secret := token(o.stdout)
			switch {
			case o.killed:
				t.ran(true)
			case o.hung:
				t.found(hang, "%d: %s", n, o)
			case o.code != 0 || secret == "":
				t.found(wrong, "%d: exit code %d: %s%s", n, o.code, o, o.stdout)
			case !victims[i]:
				usual = (7*usual + time.Duration(o.seconds*float64(time.Second))) / 8
			}
			if secret != "" {
				if err := st.checkToken(secret, user); err != nil {
					t.found(wrong, "%d: %v", n, err)
				}
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		// The next ones get tokens at once, and those of before are still there.
		for _, i := range []int{user, dice.IntN(user + 1)} {
			st.calls.Reset()
			o, err := get(i)
			if err != nil {
				return err
			}
			secret := token(o.stdout)
			minted := st.calls.Count("GetAuthorizationToken")
			switch before := acknowledged[i]; {
			case secret == "":
				t.found(wrong, "%d: after a kill: exit code %d: %s%s", n, o.code, o, o.stdout)
				continue
			case before != "" && (before != secret || minted > 0):
				t.found(lost, "%d: the token of u%d was cached, and is another after a kill (%d calls)", n, i, minted)
			}
			if err := st.checkToken(secret, i); err != nil {
				t.found(wrong, "%d: %v", n, err)
			}
			acknowledged[i] = secret
		}
		if found := append(st.cacheLeftovers(st.path("home", ".cache", "ecrkit", "v1")), st.leftovers()...); len(found) > 0 {
			t.found(left, "%d: %s", n, strings.Join(found, " "))
			for _, name := range found { // so that it is counted once
				_ = os.RemoveAll(st.path("home", ".cache", "ecrkit", "v1", name))
			}
		}
	}
	return nil
}

// joinClose closes a site.
func joinClose(err error, st *site) error { return errors.Join(err, st.close()) }
