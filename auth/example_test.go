package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/localecr"
)

// The registry behind a host, in any of the forms in which docker and others write it.
func ExampleParseRegistry() {
	for _, host := range []string{
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com",
		"https://123456789012.dkr-ecr-fips.us-east-1.on.aws/v2/",
		"public.ecr.aws",
		"ghcr.io",
	} {
		r, err := auth.ParseRegistry(host, nil)
		if errors.Is(err, auth.ErrNotECR) {
			fmt.Println("not ECR:", host)
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r, r.Scheme(), "FIPS:", r.FIPS)
	}
	// Output:
	// 123456789012/eu-west-1 https FIPS: false
	// 123456789012/us-east-1 https FIPS: true
	// ECR Public https FIPS: false
	// not ECR: ghcr.io
}

// The credentials of a host. A program that runs on AWS, or where the AWS CLI works,
// needs neither the mapping nor the options: they are for the local ECR.
func Example() {
	srv, tokens := startLocal()
	defer srv.Close()
	ctx := context.Background()

	r, err := tokens.Minter.AWS.Registries.Parse(srv.Registry)
	if err != nil {
		log.Fatal(err)
	}
	token, err := tokens.Token(ctx, r)
	if err != nil {
		log.Fatal(err)
	}
	again, err := tokens.Token(ctx, r) // from memory
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("user:", auth.Username)
	fmt.Println("password:", token) // token.Secret is the password
	fmt.Println("valid for", token.ExpiresAt.Sub(token.IssuedAt).Round(time.Hour))
	fmt.Println("the same token:", token == again)
	// Output:
	// user: AWS
	// password: authorization token (hidden)
	// valid for 12h0m0s
	// the same token: true
}

// An HTTP client of a registry: the token is added to each request, and replaced if
// the registry refuses it.
func ExampleTransport() {
	srv, tokens := startLocal()
	defer srv.Close()

	r, err := tokens.Minter.AWS.Registries.Parse(srv.Registry)
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: &auth.Transport{Tokens: tokens, Registry: r}}
	response, err := client.Get(r.Scheme() + "://" + r.Host + "/v2/")
	if err != nil {
		log.Fatal(err)
	}
	response.Body.Close()
	fmt.Println(response.Status)
	// Output: 200 OK
}

// startLocal starts a local ECR, and returns the tokens of its only identity.
func startLocal() (*localecr.Server, *auth.Tokens) {
	srv, err := localecr.New(localecr.Options{})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := srv.Listen("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = listener.Serve(context.Background()) }()
	mapping, err := auth.ParseMapping(srv.Registry + "=000000000000.us-east-1")
	if err != nil {
		log.Fatal(err)
	}
	local := srv.AWSConfig()
	tokens := &auth.Tokens{}
	tokens.Minter.AWS = auth.AWS{
		Registries: auth.Registries{Mapping: mapping},
		LoadOptions: []func(*config.LoadOptions) error{
			config.WithCredentialsProvider(local.Credentials),
			config.WithBaseEndpoint(*local.BaseEndpoint),
		},
	}
	return srv, tokens
}
