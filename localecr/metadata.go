package localecr

import (
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// metadataPath begins the paths of the instance metadata service of EC2, version 2:
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
const (
	metadataPath        = "/latest/"
	metadataTokenHeader = "X-aws-ec2-metadata-token"
	metadataLifeHeader  = "X-aws-ec2-metadata-token-ttl-seconds"
	maxMetadataLife     = 21600 // seconds
)

// newMetadata returns the instance metadata service of an instance with the first role of the first account. Version 2
// alone: a request without a token is refused.
func (s *Server) newMetadata() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT "+metadataPath+"api/token", func(w http.ResponseWriter, r *http.Request) {
		seconds, err := strconv.Atoi(r.Header.Get(metadataLifeHeader))
		switch {
		case r.Header.Get("X-Forwarded-For") != "": // as AWS does, against open proxies
			http.Error(w, "Forbidden", http.StatusForbidden)
		case err != nil || seconds < 1 || seconds > maxMetadataLife:
			http.Error(w, "Bad Request", http.StatusBadRequest)
		default:
			w.Header().Set(metadataLifeHeader, strconv.Itoa(seconds))
			writeText(w, s.identities().IssueInstanceToken(time.Duration(seconds)*time.Second))
		}
	})
	const credentials = "meta-data/iam/security-credentials/"
	for path, answer := range map[string]func(w http.ResponseWriter, r *http.Request, account Account){
		credentials: func(w http.ResponseWriter, _ *http.Request, account Account) { writeText(w, account.Roles[0].Name) },
		credentials + "{role}": func(w http.ResponseWriter, r *http.Request, account Account) {
			role := r.PathValue("role")
			keys, err := s.identities().RoleCredentials(account.ID, role, "i-0ecrkitlocal00000", roleCredentialsLife)
			if err != nil || role != account.Roles[0].Name {
				http.NotFound(w, r)
				return
			}
			writeControl(w, http.StatusOK, map[string]any{
				"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": s.clock.Now().UTC().Truncate(time.Second),
				"AccessKeyId": keys.AccessKeyID, "SecretAccessKey": keys.SecretAccessKey, "Token": keys.SessionToken, "Expiration": keys.Expiration,
			})
		},
		"meta-data/placement/region": func(w http.ResponseWriter, _ *http.Request, _ Account) { writeText(w, DefaultRegion) },
		"meta-data/placement/availability-zone": func(w http.ResponseWriter, _ *http.Request, _ Account) {
			writeText(w, DefaultRegion+"a")
		},
		"dynamic/instance-identity/document": func(w http.ResponseWriter, _ *http.Request, account Account) {
			writeControl(w, http.StatusOK, map[string]string{"accountId": account.ID, "region": DefaultRegion, "availabilityZone": DefaultRegion + "a", "instanceId": "i-0ecrkitlocal00000"})
		},
	} {
		pattern := metadataPath + path
		if path == credentials {
			pattern += "{$}"
		}
		mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) {
			account := s.accounts()[0]
			switch {
			case !s.identities().CheckInstanceToken(r.Header.Get(metadataTokenHeader)):
				http.Error(w, "Unauthorized", http.StatusUnauthorized)
			case len(account.Roles) == 0:
				http.NotFound(w, r)
			default:
				answer(w, r, account)
			}
		})
	}
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.mayReadMetadata(r) {
			http.Error(w, "Instance metadata of accounts with keys of their own is for clients on this machine.", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	}))
}

// mayReadMetadata reports whether a client may have credentials without any proof: on this machine, or where the only
// keys are those that are published.
func (s *Server) mayReadMetadata(r *http.Request) bool {
	client, err := netip.ParseAddrPort(r.RemoteAddr)
	if err == nil && client.Addr().Unmap().IsLoopback() {
		return true
	}
	published := DefaultAccounts()[0].Users[0]
	for _, a := range s.accounts() {
		for _, u := range a.Users {
			if u.AccessKeyID != published.AccessKeyID || u.SecretAccessKey != published.SecretAccessKey {
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
