package setup

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/ecrkit/ecrkit/internal/safetext"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// maxAnswer bounds what is read of the proxy's answers, in bytes.
const maxAnswer = 64 << 10

// Running returns an error unless a proxy answers at the URL of s.
func (s *Setup) Running(ctx context.Context, client *http.Client) error {
	status, _, err := s.get(ctx, client, "/healthz")
	if err != nil {
		return fmt.Errorf("the proxy at %s does not answer: %w", s.Proxy, err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("what answers at %s is not the proxy: /healthz has status %d", s.Proxy, status)
	}
	return nil
}

// noImage is a digest that no manifest has.
const noImage = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// Serves returns why the proxy cannot read from a registry: the host is not allowed, or its
// credentials do not work. The proxy asks the registry for an image that does not exist.
func (s *Setup) Serves(ctx context.Context, client *http.Client, host string) error {
	status, body, err := s.get(ctx, client, "/v2/ecrkit-proxy-check/manifests/"+noImage+"?ns="+host)
	switch {
	case err != nil:
		return fmt.Errorf("the proxy at %s does not answer: %w", s.Proxy, err)
	case status == http.StatusNotFound || status == http.StatusOK:
		return nil
	}
	var refusal struct {
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	reason := fmt.Sprintf("status %d", status)
	if json.Unmarshal(body, &refusal) == nil && len(refusal.Errors) > 0 {
		reason = safetext.Line(refusal.Errors[0].Message)
	}
	return fmt.Errorf("the proxy at %s cannot read from %s: %s", s.Proxy, host, reason)
}

func (s *Setup) get(ctx context.Context, client *http.Client, path string) (status int, body []byte, err error) {
	if s.Proxy == nil {
		return 0, nil, errNoProxy
	}
	if client == nil {
		client = http.DefaultClient
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.Proxy.String(), "/")+path, nil)
	if err != nil {
		return 0, nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = content.ReadLimited(response.Body, maxAnswer)
	return response.StatusCode, body, err
}
