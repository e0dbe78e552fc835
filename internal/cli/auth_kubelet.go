package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/auth"
)

const authKubeletHelp = `Speak the kubelet's credential provider protocol: a CredentialProviderRequest on
stdin, a CredentialProviderResponse on stdout.

  apiVersion: kubelet.config.k8s.io/v1
  kind: CredentialProviderConfig
  providers:
    - name: ecrkit
      apiVersion: credentialprovider.kubelet.k8s.io/v1
      args: [auth, kubelet]
      defaultCacheDuration: 12h
      matchImages:
        - "*.dkr.ecr.*.amazonaws.com"
        - "*.dkr.ecr.*.amazonaws.com.cn"
        - public.ecr.aws

An image that is not in ECR gets an answer without credentials.
See https://kubernetes.io/docs/tasks/administer-cluster/kubelet-credential-provider/.`

const (
	kubeletAPI      = "credentialprovider.kubelet.k8s.io/v1"
	kubeletRequest  = "CredentialProviderRequest"
	kubeletResponse = "CredentialProviderResponse"
	maxKubelet      = 1 << 20 // bytes of a request
)

// providerRequest and providerResponse are those of k8s.io/kubelet's API
// credentialprovider/v1, as far as they are used.
type providerRequest struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Image      string `json:"image"`
}

type providerResponse struct {
	APIVersion    string                  `json:"apiVersion"`
	Kind          string                  `json:"kind"`
	CacheKeyType  string                  `json:"cacheKeyType"`
	CacheDuration string                  `json:"cacheDuration,omitempty"`
	Auth          map[string]providerAuth `json:"auth"`
}

type providerAuth struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

func newAuthKubeletCommand(app *App) *cobra.Command {
	return &cobra.Command{
		Use:   "kubelet",
		Short: "Speak the kubelet's credential provider protocol",
		Long:  authKubeletHelp,
		Args:  arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			request, err := readProviderRequest(app.stdin())
			if err != nil {
				return err
			}
			tokens, err := app.tokens()
			if err != nil {
				return err
			}
			response := providerResponse{APIVersion: kubeletAPI, Kind: kubeletResponse, CacheKeyType: "Registry", Auth: map[string]providerAuth{}}
			host, _, _ := strings.Cut(request.Image, "/")
			r, err := tokens.Minter.AWS.Registries.Parse(host)
			if errors.Is(err, auth.ErrNotECR) {
				return json.NewEncoder(app.Stdout).Encode(response)
			}
			if err != nil {
				return err
			}
			token, err := tokens.Token(cmd.Context(), r)
			switch {
			case err == nil:
				// Half of what is left: the kubelet then comes again before the end.
				response.CacheDuration = (token.ExpiresAt.Sub(app.Now()) / 2).Truncate(time.Second).String()
				response.Auth[host] = providerAuth{auth.Username, token.Secret}
			case r.Public:
				app.Messagef("continuing without credentials: %v", err)
			default:
				return err
			}
			return json.NewEncoder(app.Stdout).Encode(response)
		},
	}
}

func readProviderRequest(stdin io.Reader) (providerRequest, error) {
	var request providerRequest
	if err := json.NewDecoder(io.LimitReader(stdin, maxKubelet)).Decode(&request); err != nil {
		return request, errors.New("stdin is no CredentialProviderRequest in JSON")
	}
	if request.APIVersion != kubeletAPI || request.Kind != kubeletRequest {
		return request, fmt.Errorf("stdin is a %q of %q and not a %s of %s; set apiVersion in the CredentialProviderConfig",
			request.Kind, request.APIVersion, kubeletRequest, kubeletAPI)
	}
	if request.Image == "" {
		return request, errors.New("the CredentialProviderRequest names no image")
	}
	return request, nil
}
