package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// Username is the user name that goes with every token.
const Username = "AWS"

// Token is what a registry takes as the password of the user "AWS".
type Token struct {
	Secret    string    // the password
	ExpiresAt time.Time // 12 hours after it was issued, says Amazon ECR
}

// String hides the secret, so that a token may be printed by mistake.
func (Token) String() string { return "authorization token (hidden)" }

// GoString hides the secret from %#v.
func (t Token) GoString() string { return t.String() }

// TokenSource gives a token that is valid now for a registry.
type TokenSource interface {
	Token(ctx context.Context, r Registry) (Token, error)
}

// Minter is the [TokenSource] that asks Amazon ECR for a new token each time.
type Minter struct {
	AWS AWS
	// Timeout bounds the whole of it, the search for AWS credentials included;
	// 0 means 15 seconds.
	Timeout time.Duration
}

// Token calls GetAuthorizationToken in the region of r. The token is good for
// every registry of that region that the caller's principal may use, whatever
// the account:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html.
// Errors come from [Explain].
func (m *Minter) Token(ctx context.Context, r Registry) (Token, error) {
	timeout := m.Timeout
	if timeout == 0 {
		timeout = 15 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	token, err := m.mint(ctx, r)
	return token, Explain(r, err)
}

func (m *Minter) mint(ctx context.Context, r Registry) (Token, error) {
	cfg, err := m.AWS.Config(ctx, r)
	if err != nil {
		return Token{}, err
	}
	out, err := NewClient(cfg, r).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return Token{}, err
	}
	if len(out.AuthorizationData) == 0 {
		return Token{}, errors.New("GetAuthorizationToken answered without a token")
	}
	data := out.AuthorizationData[0]
	return decodeToken(aws.ToString(data.AuthorizationToken), aws.ToTime(data.ExpiresAt))
}

// decodeToken takes the password out of base64("AWS:" + password).
func decodeToken(encoded string, expires time.Time) (Token, error) {
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	// The error of the decoder is not repeated: nothing of a token may get into a text.
	user, secret, ok := strings.Cut(string(decoded), ":")
	if err != nil || !ok || user != Username || secret == "" {
		return Token{}, errors.New("GetAuthorizationToken answered with a token that is not base64 of AWS:PASSWORD")
	}
	return Token{Secret: secret, ExpiresAt: expires}, nil
}
