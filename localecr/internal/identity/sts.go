package identity

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// DefaultDuration is the life of a role's session where the caller asks for
// none; AWS allows 15 minutes to 12 hours:
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const (
	DefaultDuration = time.Hour
	minDuration     = 900
	maxDuration     = 43200
)

// Error is an answer of STS that refuses a request.
type Error struct {
	Code    string // as in AWS's <Code>: AccessDenied, ValidationError, InvalidIdentityToken, …
	Message string
	Status  int // of HTTP; 0 is that of the code
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func stsError(code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// violation is AWS's text for a parameter outside its constraint.
func violation(value, member, constraint string) error {
	return stsError("ValidationError", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must %s", value, member, constraint)
}

// CallerIdentity is the result of GetCallerIdentity.
type CallerIdentity struct {
	Arn     string `xml:"Arn"`
	UserID  string `xml:"UserId"`
	Account string `xml:"Account"`
}

// AssumedRoleUser names the session of a role.
type AssumedRoleUser struct {
	AssumedRoleID string `xml:"AssumedRoleId"`
	Arn           string `xml:"Arn"`
}

// AssumeRoleResult is the result of AssumeRole.
type AssumeRoleResult struct {
	AssumedRoleUser AssumedRoleUser `xml:"AssumedRoleUser"`
	Credentials     Credentials     `xml:"Credentials"`
}

// AssumeRoleWithWebIdentityResult is the result of AssumeRoleWithWebIdentity.
type AssumeRoleWithWebIdentityResult struct {
	SubjectFromWebIdentityToken string          `xml:"SubjectFromWebIdentityToken"`
	Audience                    string          `xml:"Audience"`
	Provider                    string          `xml:"Provider"`
	AssumedRoleUser             AssumedRoleUser `xml:"AssumedRoleUser"`
	Credentials                 Credentials     `xml:"Credentials"`
}

// ParseDuration reads the form value DurationSeconds; "" is DefaultDuration. The
// error is an *Error.
func ParseDuration(seconds string) (time.Duration, error) {
	if seconds == "" {
		return DefaultDuration, nil
	}
	n, err := strconv.ParseInt(seconds, 10, 32)
	if err != nil {
		return 0, stsError("MalformedInput", "DurationSeconds %q is not an integer", seconds)
	}
	d := time.Duration(n) * time.Second
	return d, checkDuration(d)
}

func checkDuration(d time.Duration) error {
	seconds := strconv.FormatInt(int64(d/time.Second), 10)
	switch {
	case d < minDuration*time.Second:
		return violation(seconds, "durationSeconds", fmt.Sprintf("have value greater than or equal to %d", minDuration))
	case d > maxDuration*time.Second:
		return violation(seconds, "durationSeconds", fmt.Sprintf("have value less than or equal to %d", maxDuration))
	}
	return nil
}

// GetCallerIdentity says who p is.
func GetCallerIdentity(p Principal) CallerIdentity {
	return CallerIdentity{Arn: p.ARN, UserID: p.UserID, Account: p.Account}
}

// AssumeRole returns a session for p of a role that trusts it. duration 0 is
// DefaultDuration; a role's session may assume a further role for one hour at
// most. The error is an *Error: ValidationError or AccessDenied, which does not
// tell a role that does not exist from one that does not trust p.
func (ids *Identities) AssumeRole(p Principal, roleARN, sessionName, externalID string, duration time.Duration) (*AssumeRoleResult, error) {
	if duration == 0 {
		duration = DefaultDuration
	}
	if err := checkRoleRequest(roleARN, sessionName, duration); err != nil {
		return nil, err
	}
	if externalID != "" && !isExternalID(externalID) {
		return nil, violation(externalID, "externalId", `satisfy regular expression pattern: [\w+=,.@:\/-]*, with a length of 2 to 1224`)
	}
	if p.Type == AssumedRole && duration > time.Hour {
		return nil, stsError("ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	account, role, ok := ids.findRole(roleARN)
	if !ok || !role.trusts(account, p) || (role.ExternalID != "" && role.ExternalID != externalID) {
		return nil, stsError("AccessDenied", "User: %s is not authorized to perform: sts:AssumeRole on resource: %s", p.ARN, roleARN)
	}
	user, credentials := ids.startSession(account, role, sessionName, duration)
	return &AssumeRoleResult{AssumedRoleUser: user, Credentials: credentials}, nil
}

// AssumeRoleWithWebIdentity returns to the bearer of an OpenID Connect token a
// session of a role with a matching WebIdentity. The token's claims iss, aud,
// sub, exp and nbf are checked. Its signature is checked if it is from the
// server's own issuer, whose URL is ownIssuer for this client; that of others
// is NOT: this server cannot ask them for their keys. The error is an *Error:
// ValidationError, InvalidIdentityToken, ExpiredTokenException or AccessDenied.
func (ids *Identities) AssumeRoleWithWebIdentity(roleARN, sessionName, token, ownIssuer string, duration time.Duration) (*AssumeRoleWithWebIdentityResult, error) {
	if duration == 0 {
		duration = DefaultDuration
	}
	if err := checkRoleRequest(roleARN, sessionName, duration); err != nil {
		return nil, err
	}
	claims, err := parseJWT(token)
	if err != nil {
		return nil, err
	}
	if claims.Issuer == ownIssuer || claims.KeyID == IssuerKeyID {
		if err := ids.checkSignature(claims); err != nil {
			return nil, err
		}
	}
	if err := claims.checkTime(ids.clock()); err != nil {
		return nil, err
	}
	account, role, ok := ids.findRole(roleARN)
	if !ok || role.WebIdentity == nil {
		return nil, errNotAuthorized()
	}
	if err := claims.check(*role.WebIdentity); err != nil {
		return nil, err
	}
	user, credentials := ids.startSession(account, role, sessionName, duration)
	return &AssumeRoleWithWebIdentityResult{
		SubjectFromWebIdentityToken: claims.Subject,
		Audience:                    role.WebIdentity.Audience,
		Provider:                    claims.Issuer,
		AssumedRoleUser:             user,
		Credentials:                 credentials,
	}, nil
}

func errNotAuthorized() error {
	return stsError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
}

// RoleCredentials returns keys of a role of an account, such as AWS issues to a container or an instance.
func (ids *Identities) RoleCredentials(account, role, session string, life time.Duration) (Credentials, error) {
	account, found, ok := ids.findRole("arn:aws:iam::" + account + ":role/" + role)
	if !ok {
		return Credentials{}, fmt.Errorf("the role %s does not exist", role)
	}
	_, credentials := ids.startSession(account, found, session, life)
	return credentials, nil
}

// IssueInstanceToken returns a token of the instance metadata service.
func (ids *Identities) IssueInstanceToken(life time.Duration) string {
	return base64.URLEncoding.EncodeToString(seal(ids.instance, ids.clock().Add(life).Unix(), 0, nil))
}

// CheckInstanceToken reports whether a token of the instance metadata service is valid.
func (ids *Identities) CheckInstanceToken(token string) bool {
	var expires int64
	sealed, err := base64.URLEncoding.DecodeString(token)
	return err == nil && open(ids.instance, sealed, &expires, nil) == nil && ids.clock().Unix() < expires
}

// RoleSession returns a session of a role that a service of AWS has assumed.
func (ids *Identities) RoleSession(roleARN, name string) (Principal, error) {
	account, role, ok := ids.findRole(roleARN)
	if !ok {
		return Principal{}, fmt.Errorf("the role %s does not exist", roleARN)
	}
	_, p := sessionOf(account, role, name)
	return p, nil
}

func sessionOf(account string, role Role, name string) (AssumedRoleUser, Principal) {
	u := AssumedRoleUser{
		AssumedRoleID: uniqueID("AROA", "arn:aws:iam::"+account+":role/"+role.Name) + ":" + name,
		Arn:           "arn:aws:sts::" + account + ":assumed-role/" + role.Name + "/" + name,
	}
	return u, Principal{ARN: u.Arn, Account: account, UserID: u.AssumedRoleID, Type: AssumedRole}
}

func (ids *Identities) startSession(account string, role Role, name string, life time.Duration) (AssumedRoleUser, Credentials) {
	u, p := sessionOf(account, role, name)
	return u, ids.issueSession(p, life)
}

var (
	roleARNPattern     = lazyregexp.New(`^arn:aws:iam::([0-9]{12}):role/([A-Za-z0-9_+=,.@-]{1,64})$`)
	sessionNamePattern = lazyregexp.New(`^[A-Za-z0-9_+=,.@-]*$`)
)

func checkRoleRequest(roleARN, sessionName string, duration time.Duration) error {
	switch n := len(sessionName); {
	case !strings.HasPrefix(roleARN, "arn:"):
		return stsError("ValidationError", "%s is invalid", roleARN)
	case len(roleARN) < 20:
		return violation(roleARN, "roleArn", "have length greater than or equal to 20")
	case len(roleARN) > 2048:
		return violation(roleARN, "roleArn", "have length less than or equal to 2048")
	case n < 2:
		return violation(sessionName, "roleSessionName", "have length greater than or equal to 2")
	case n > 64:
		return violation(sessionName, "roleSessionName", "have length less than or equal to 64")
	case !sessionNamePattern.MatchString(sessionName):
		return violation(sessionName, "roleSessionName", `satisfy regular expression pattern: [\w+=,.@-]*`)
	}
	return checkDuration(duration)
}

func (ids *Identities) findRole(arn string) (account string, role Role, ok bool) {
	m := roleARNPattern.FindStringSubmatch(arn)
	if m == nil {
		return "", Role{}, false
	}
	for _, r := range ids.accounts[m[1]].Roles {
		if r.Name == m[2] {
			return m[1], r, true
		}
	}
	return "", Role{}, false
}
