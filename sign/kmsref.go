package sign

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/loopback"
	"github.com/ecrkit/ecrkit/internal/registryname"
)

// KMSReference names a key of AWS KMS. Users write it in one of these forms:
//
//	awskms:///1234abcd-12ab-34cd-56ef-1234567890ab
//	awskms:///alias/release
//	awskms:///arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
//	awskms:///arn:aws:kms:us-east-1:111122223333:alias/release
//	awskms://kms.example.com:4510/alias/release
//	arn:aws:kms:us-east-1:111122223333:alias/release
//	alias/release
//
// The forms with awskms:// are those of cosign. Names of keys are as in
// https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id.
type KMSReference struct {
	// Key is a key ID, a key ARN, alias/NAME or an alias ARN: the KeyId of the API.
	Key string
	// Region is that of an ARN, else "": the region of the AWS configuration.
	Region string
	// Endpoint is a URL, or "": the endpoint of the AWS configuration.
	Endpoint string
}

const kmsScheme = "awskms://"

var (
	kmsARN    = lazyregexp.New(`^arn:aws(?:-[a-z]+)*:kms:([^:]*):([^:]*):([^:]*)$`)
	kmsRegion = lazyregexp.New(`^[a-z]{2,}(?:-[a-z0-9]+)*-[0-9]{1,2}$`)
	kmsOwner  = lazyregexp.New(`^[0-9]{12}$`)
	// A key of several regions has an ID that begins with mrk-.
	kmsKeyID = lazyregexp.New(`^(?:mrk-[0-9a-fA-F]{32}|(?:mrk-)?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})$`)
	kmsAlias = lazyregexp.New(`^alias/[a-zA-Z0-9/_-]{1,250}$`)
)

// IsKMSReference reports whether s is a reference to a key of AWS KMS, even a malformed one, and not a path. A file
// below a directory alias is ./alias/NAME.
func IsKMSReference(s string) bool {
	return strings.HasPrefix(s, kmsScheme) || strings.HasPrefix(s, "arn:") || strings.HasPrefix(s, "alias/")
}

// ParseKMSReference reads one of the forms of a [KMSReference].
func ParseKMSReference(s string) (KMSReference, error) {
	if !IsKMSReference(s) {
		return KMSReference{}, fmt.Errorf("%q is not a key of AWS KMS: write awskms:///alias/NAME, awskms:///KEY-ID or an ARN", s)
	}
	var ref KMSReference
	key, withScheme := strings.CutPrefix(s, kmsScheme)
	if withScheme {
		host, rest, slash := strings.Cut(key, "/")
		if !slash || host == "alias" {
			return KMSReference{}, fmt.Errorf("KMS key %q: a third slash is missing: write awskms:///KEY, or awskms://HOST/KEY for a KMS elsewhere", s)
		}
		endpoint, err := kmsEndpoint(host)
		if err != nil {
			return KMSReference{}, fmt.Errorf("KMS key %q: endpoint %q: %w", s, host, err)
		}
		key, ref.Endpoint = rest, endpoint
	}
	region, err := checkKMSKey(key)
	if err != nil {
		return KMSReference{}, fmt.Errorf("KMS key %q: %w", s, err)
	}
	ref.Key, ref.Region = key, region
	return ref, nil
}

// checkKMSKey checks the name of a key and finds its region, "" if it says none.
func checkKMSKey(key string) (region string, err error) {
	switch {
	case key == "":
		return "", errors.New("no key is named; write alias/NAME, a key ID or an ARN after the endpoint")
	case !strings.HasPrefix(key, "arn:"):
		return "", checkKMSName(key)
	}
	parts := kmsARN.FindStringSubmatch(key)
	if parts == nil {
		return "", errors.New("not an ARN of AWS KMS, which is arn:PARTITION:kms:REGION:ACCOUNT:key/ID or …:alias/NAME")
	}
	region, owner, resource := parts[1], parts[2], parts[3]
	id, isKey := strings.CutPrefix(resource, "key/")
	switch {
	case !kmsRegion.MatchString(region):
		return "", fmt.Errorf("%q in the ARN is not an AWS region", region)
	case !kmsOwner.MatchString(owner):
		return "", fmt.Errorf("%q in the ARN is not an AWS account of 12 digits", owner)
	case isKey && kmsKeyID.MatchString(id):
		return region, nil
	case strings.HasPrefix(resource, "alias/"):
		return region, checkKMSName(resource)
	}
	return "", fmt.Errorf("%q in the ARN is neither key/ID nor alias/NAME", resource)
}

// checkKMSName takes a key ID or alias/NAME.
func checkKMSName(name string) error {
	switch {
	case strings.HasPrefix(name, "alias/"):
		if !kmsAlias.MatchString(name) {
			return fmt.Errorf("%q is not an alias: its name has 1 to 250 letters, digits, and / _ -", name)
		}
	case !kmsKeyID.MatchString(name):
		return fmt.Errorf("%q is neither a key ID, such as 1234abcd-12ab-34cd-56ef-1234567890ab, nor alias/NAME, nor an ARN", name)
	}
	return nil
}

// kmsEndpoint makes a URL of host[:port]: https, and http for a loopback address, where no
// certificate is to be had. "" returns "".
func kmsEndpoint(host string) (string, error) {
	if host == "" {
		return "", nil
	}
	if _, err := registryname.Host(host); err != nil {
		return "", fmt.Errorf("not HOST or HOST:PORT: %w", err)
	}
	u := url.URL{Scheme: "https", Host: host}
	if loopback.Is(u.Hostname()) {
		u.Scheme = "http"
	}
	return u.String(), nil
}

// String returns the form with awskms://, which [ParseKMSReference] and cosign read.
func (r KMSReference) String() string {
	host := r.Endpoint
	if _, rest, ok := strings.Cut(host, "://"); ok {
		host = rest
	}
	return kmsScheme + host + "/" + r.Key
}
