package credentials

import (
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/ecrkit/ecrkit/localecr/internal/identity"
)

// MetadataPath begins the paths of the instance metadata service of EC2, version 2:
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
const (
	MetadataPath        = "/latest/"
	metadataTokenHeader = "X-aws-ec2-metadata-token"
	metadataLifeHeader  = "X-aws-ec2-metadata-token-ttl-seconds"
	maxMetadataLife     = 21600 // seconds
)

// Metadata returns the instance metadata service of an instance with the first role of the first account. Version 2
// alone: a request without a token is refused.
func (e *Endpoints) Metadata() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT "+MetadataPath+"api/token", func(w http.ResponseWriter, r *http.Request) {
		seconds, err := strconv.Atoi(r.Header.Get(metadataLifeHeader))
		switch {
		case r.Header.Get("X-Forwarded-For") != "": // as AWS does, against open proxies
			http.Error(w, "Forbidden", http.StatusForbidden)
		case err != nil || seconds < 1 || seconds > maxMetadataLife:
			http.Error(w, "Bad Request", http.StatusBadRequest)
		default:
			w.Header().Set(metadataLifeHeader, strconv.Itoa(seconds))
			writeText(w, e.Identities().IssueInstanceToken(time.Duration(seconds)*time.Second))
		}
	})
	const credentials = "meta-data/iam/security-credentials/"
	for path, answer := range map[string]func(w http.ResponseWriter, r *http.Request, account identity.Account){
		credentials: func(w http.ResponseWriter, _ *http.Request, account identity.Account) {
			writeText(w, account.Roles[0].Name)
		},
		credentials + "{role}": func(w http.ResponseWriter, r *http.Request, account identity.Account) {
			role := r.PathValue("role")
			keys, err := e.Identities().RoleCredentials(account.ID, role, "i-0ecrkitlocal00000", roleCredentialsLife)
			if err != nil || role != account.Roles[0].Name {
				http.NotFound(w, r)
				return
			}
			write(w, http.StatusOK, map[string]any{
				"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": e.Now().UTC().Truncate(time.Second),
				"AccessKeyId": keys.AccessKeyID, "SecretAccessKey": keys.SecretAccessKey, "Token": keys.SessionToken, "Expiration": keys.Expiration,
			})
		},
		"meta-data/placement/region": func(w http.ResponseWriter, _ *http.Request, _ identity.Account) { writeText(w, e.Region) },
		"meta-data/placement/availability-zone": func(w http.ResponseWriter, _ *http.Request, _ identity.Account) {
			writeText(w, e.Region+"a")
		},
		"dynamic/instance-identity/document": func(w http.ResponseWriter, _ *http.Request, account identity.Account) {
			write(w, http.StatusOK, map[string]string{"accountId": account.ID, "region": e.Region, "availabilityZone": e.Region + "a", "instanceId": "i-0ecrkitlocal00000"})
		},
	} {
		pattern := MetadataPath + path
		if path == credentials {
			pattern += "{$}"
		}
		mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) {
			account := e.Accounts()[0]
			switch {
			case !e.Identities().CheckInstanceToken(r.Header.Get(metadataTokenHeader)):
				http.Error(w, "Unauthorized", http.StatusUnauthorized)
			case len(account.Roles) == 0:
				http.NotFound(w, r)
			default:
				answer(w, r, account)
			}
		})
	}
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !e.mayReadMetadata(r) {
			http.Error(w, "Instance metadata of accounts with keys of their own is for clients on this machine.", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	}))
}

// mayReadMetadata reports whether a client may have credentials without any proof: on this machine, or where the only
// keys are those that are e.Published.
func (e *Endpoints) mayReadMetadata(r *http.Request) bool {
	client, err := netip.ParseAddrPort(r.RemoteAddr)
	if err == nil && client.Addr().Unmap().IsLoopback() {
		return true
	}
	for _, a := range e.Accounts() {
		for _, u := range a.Users {
			if u.AccessKeyID != e.Published.AccessKeyID || u.SecretAccessKey != e.Published.SecretAccessKey {
				return false
			}
		}
	}
	return true
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, text) // fails only when the client has gone
}
