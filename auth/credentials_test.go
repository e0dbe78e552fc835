package auth

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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
		defer close(accepted)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	var all []net.Conn
	t.Cleanup(func() {
		listener.Close()
		for conn := range accepted {
			conn.Close()
		}
		for _, conn := range all {
			conn.Close()
		}
	})
	t.Setenv("AWS_EC2_METADATA_DISABLED", "")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://"+listener.Addr().String())
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	// A connection can be made and not be accepted yet: all that were made before this one are accepted before it.
	count := func() int {
		last, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer last.Close()
		for conn := range accepted {
			if conn.RemoteAddr().String() == last.LocalAddr().String() {
				conn.Close()
				break
			}
			all = append(all, conn)
		}
		return len(all)
	}
	// An attempt that is given up at its deadline can still be connecting.
	return func() int {
		n := count()
		for quiet := 0; quiet < 3; quiet++ {
			time.Sleep(30 * time.Millisecond)
			if again := count(); again != n {
				n, quiet = again, 0
			}
		}
		return n
	}
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
	// It is 1.5 seconds; the SDK alone takes half a minute.
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Calls that concern no registry end as soon, with the same words.
func TestConfigWithoutRegistry(t *testing.T) {
	connections := silence(t)
	t.Setenv("AWS_REGION", "eu-west-1")
	cfg, err := AWS{}.ConfigWithoutRegistry(t.Context())
	if err != nil || cfg.Region != "eu-west-1" {
		t.Fatalf("region %q, %v", cfg.Region, err)
	}
	begun := time.Now()
	_, err = cfg.Credentials.Retrieve(t.Context())
	reason, next := Describe(err)
	if !errors.Is(err, ErrNoCredentials) || reason != "no AWS credentials: no profile, no access key, and no instance metadata service answers" || next == "" {
		t.Errorf("got %q, %q", reason, next)
	}
	if took := time.Since(begun); took > 10*time.Second || connections() == 0 {
		t.Errorf("it took %v", took)
	}
}

// What the instance metadata service answers is told in our words, and by nobody else.
func TestMetadataServiceRefuses(t *testing.T) {
	for status, want := range map[int]string{
		http.StatusNotFound:   "the EC2 instance has no role",
		http.StatusForbidden:  "the instance metadata service is disabled (HTTP 403)",
		http.StatusBadRequest: "the instance metadata service answers with HTTP 400",
	} {
		silence(t)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if status == http.StatusNotFound && r.Method == http.MethodPut {
				w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
				_, _ = io.WriteString(w, "token")
				return
			}
			w.WriteHeader(status)
		}))
		t.Cleanup(server.Close)
		t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.URL)
		_, err := (&Minter{MetadataTimeout: time.Minute}).Token(t.Context(), local)
		if !errors.Is(err, ErrNoCredentials) {
			t.Fatalf("HTTP %d: %v", status, err)
		}
		if text := err.Error(); !strings.Contains(text, ": no AWS credentials: no profile, no access key, and "+want+"; set AWS_PROFILE") || strings.Contains(text, "operation error") {
			t.Errorf("HTTP %d: %s", status, text)
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
