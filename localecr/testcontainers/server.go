package testcontainers

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// The default account of the local ECR, its region, and the keys of its only user. They are the same for everybody and
// protect nothing.
const (
	AccountID       = "000000000000"
	Region          = "us-east-1"
	AccessKeyID     = "AKIAECRKITLOCALFAKE0"
	SecretAccessKey = "ecrkit+local/this+key+pair+is+not+secret"
)

// A Server is a local ECR as its clients know it.
type Server struct {
	host func(context.Context) (string, error)
}

// NewServer returns the server that listens on addr, HOST:PORT, whoever has started it.
func NewServer(addr string) Server {
	return Server{func(context.Context) (string, error) { return addr, nil }}
}

// RegistryHost returns the host name of the registry with its port, which begins the names of images. docker, ecrkit
// and crane use plain HTTP for it, since it is on a loopback address.
func (s Server) RegistryHost(ctx context.Context) (string, error) {
	host, err := s.host(ctx)
	if err != nil {
		return "", fmt.Errorf("address of the local ECR: %w", err)
	}
	return host, nil
}

// EndpointURL returns the URL of the AWS API: ECR, KMS and STS.
func (s Server) EndpointURL(ctx context.Context) (string, error) {
	host, err := s.RegistryHost(ctx)
	return "http://" + host, err
}

// Credentials returns the keys of the default account's user.
func (Server) Credentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: AccessKeyID, SecretAccessKey: SecretAccessKey, AccountID: AccountID, Source: "ecrkit local"}
}

// AWSConfig returns the configuration of an AWS SDK client that calls the local ECR: its URL as the endpoint of every
// service, [Region], and [Server.Credentials]. It reads no environment and no file.
func (s Server) AWSConfig(ctx context.Context) (aws.Config, error) {
	url, err := s.EndpointURL(ctx)
	if err != nil {
		return aws.Config{}, err
	}
	keys := s.Credentials()
	return aws.Config{
		Region:       Region,
		BaseEndpoint: aws.String(url),
		Credentials:  aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil }),
	}, nil
}

// Env returns the environment of a client as NAME=VALUE: what AWS SDKs, the AWS CLI and ecrkit read. It is what
// `ecrkit local env` prints.
func (s Server) Env(ctx context.Context) ([]string, error) {
	host, err := s.RegistryHost(ctx)
	if err != nil {
		return nil, err
	}
	url := "http://" + host
	return []string{
		"AWS_ENDPOINT_URL_ECR=" + url,
		"AWS_ENDPOINT_URL_KMS=" + url,
		"AWS_ENDPOINT_URL_STS=" + url,
		"AWS_REGION=" + Region,
		"AWS_DEFAULT_REGION=" + Region,
		"ECRKIT_REGISTRIES=" + host + "=" + AccountID + "." + Region,
		"ECRKIT_REGISTRY=" + host,
		"AWS_ACCESS_KEY_ID=" + AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + SecretAccessKey,
	}, nil
}
