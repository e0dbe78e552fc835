package auth

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// silence makes the instance metadata service one that accepts connections and says
// nothing, and leaves no other credentials. It counts the connections.
func silence(t *testing.T) (connections func() int) {
	t.Helper()
	isolate(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 100)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- conn
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		for conn := range accepted {
			conn.Close()
		}
	})
	t.Setenv("AWS_EC2_METADATA_DISABLED", "")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://"+listener.Addr().String())
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	return func() int { return len(accepted) }
}

// Without credentials every client ends as soon as the credential helper does, with
// the same words, and does not ask a second time.
func TestConfigWithoutCredentials(t *testing.T) {
	connections := silence(t)
	cfg, err := AWS{}.Config(t.Context(), local)
	if err != nil {
		t.Fatal(err)
	}
	client := NewClient(cfg, local)
	begun := time.Now()
	var first int
	for i := range 3 {
		_, err := client.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{})
		if !errors.Is(err, ErrNoCredentials) {
			t.Fatalf("got %v", err)
		}
		text := Explain(local, err).Error()
		want := "no AWS credentials: no profile, no access key, and no instance metadata service answers; set AWS_PROFILE, or AWS_ACCESS_KEY_ID"
		if !strings.Contains(text, want) || strings.Count(text, "no AWS credentials") != 1 {
			t.Errorf("got %s", text)
		}
		if i == 0 {
			first = connections()
		}
	}
	if n := connections(); n != first || n == 0 {
		t.Errorf("%d connections at first, %d in all", first, n)
	}
	// It is two seconds; the SDK alone takes half a minute.
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Half an access key is named: the SDK passes over it.
func TestHalfAccessKey(t *testing.T) {
	for set, missing := range map[string]string{"AWS_ACCESS_KEY_ID": "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY": "AWS_ACCESS_KEY_ID"} {
		silence(t)
		t.Setenv(set, "canary-half")
		_, err := (&Minter{MetadataTimeout: 50 * time.Millisecond}).Token(t.Context(), local)
		if !errors.Is(err, ErrNoCredentials) {
			t.Fatalf("got %v", err)
		}
		want := "no AWS credentials: " + set + " is set, and " + missing + " is not; set " + missing
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary-half") {
			t.Errorf("got %v", err)
		}
	}
}

// What is remembered of the service ends.
func TestMetadataServiceAppears(t *testing.T) {
	silence(t)
	now := time.Now()
	a := AWS{Now: func() time.Time { return now }}
	plan, err := a.Plan(t.Context(), local)
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, err := a.configure(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	provider := a.credentials(plan, cfg, 50*time.Millisecond)
	if _, err := provider.Retrieve(t.Context()); !errors.Is(err, ErrNoCredentials) {
		t.Fatalf("got %v", err)
	}
	provider.sdk = staticKeys{}
	if _, err := provider.Retrieve(t.Context()); !errors.Is(err, ErrNoCredentials) {
		t.Errorf("it was asked again at once: %v", err)
	}
	now = now.Add(metadataMemory)
	if keys, err := provider.Retrieve(t.Context()); err != nil || keys.AccessKeyID != accessKey {
		t.Errorf("after a minute: %v", err)
	}
}

// staticKeys is a provider that has credentials.
type staticKeys struct{}

func (staticKeys) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, nil
}
