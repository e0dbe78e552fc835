package stage

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

// startTime is how long `ecrkit local` may take until it is ready.
const startTime = 30 * time.Second

// A Local is an `ecrkit local` that runs as a process of its own.
type Local struct {
	Addr string            `json:"registry"` // host:port, which is also the registry part of image names
	URL  string            `json:"url"`      // of the AWS API and of /v2/
	Env  map[string]string `json:"-"`        // what `ecrkit local env` exports
	HTTP *http.Client      `json:"-"`        // a client that trusts the server's certificates

	cmd  *exec.Cmd
	done chan error // receives the result of cmd.Wait
}

// StartLocal starts the command at path as `ecrkit local ARGS…`, waits until it is ready and asks it for the
// environment of its clients. The process writes its messages to stderr and ends with ctx, or by Stop.
func StartLocal(ctx context.Context, path string, stderr io.Writer, args ...string) (*Local, error) {
	return start(ctx, path, nil, stderr, args...)
}

// StartLocalTLS is StartLocal with HTTPS, by the certificate authority in dir.
func StartLocalTLS(ctx context.Context, path, dir string, stderr io.Writer, args ...string) (*Local, error) {
	return start(ctx, path, []string{"--tls", "--tls-dir", dir}, stderr, args...)
}

// start starts a server, which gets the flags tls as `local env` does.
func start(ctx context.Context, path string, tls []string, stderr io.Writer, args ...string) (*Local, error) {
	args = append(slices.Clone(tls), args...)
	cmd := command(ctx, path, append([]string{"local", "--output", "json"}, args...)...)
	cmd.Stderr = stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("ecrkit local: %w", err)
	}
	l := &Local{HTTP: http.DefaultClient, cmd: cmd, done: make(chan error, 1)}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewReader(stdout)
		line, _ := lines.ReadString('\n')
		ready <- line
		io.Copy(io.Discard, lines)
		l.done <- cmd.Wait()
	}()

	select {
	case line := <-ready:
		if err = json.Unmarshal([]byte(line), l); err != nil {
			err = fmt.Errorf("ecrkit local says %q and not where it listens: %w", line, err)
		}
	case <-time.After(startTime):
		err = fmt.Errorf("ecrkit local is not ready after %s", startTime)
	}
	if err == nil {
		l.Env, err = localEnv(ctx, path, l.Addr, tls)
	}
	if bundle := l.Env["SSL_CERT_FILE"]; err == nil && bundle != "" {
		l.HTTP, err = trusting(bundle)
	}
	if err != nil {
		return nil, errors.Join(err, l.Stop())
	}
	return l, nil
}

// localEnv is what `ecrkit local env` exports.
func localEnv(ctx context.Context, path, addr string, tls []string) (map[string]string, error) {
	out, err := command(ctx, path, append([]string{"local", "env", "--addr", addr, "--output", "json"}, tls...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("ecrkit local env: %w", err)
	}
	var env map[string]string
	if err := json.Unmarshal(out, &env); err != nil {
		return nil, fmt.Errorf("ecrkit local env: %w", err)
	}
	return env, nil
}

// trusting returns a client that trusts the certificates in a file.
func trusting(bundle string) (*http.Client, error) {
	certificates, err := os.ReadFile(bundle)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificates)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	return &http.Client{Transport: transport}, nil
}

// PID is the process of the server.
func (l *Local) PID() int { return l.cmd.Process.Pid }

// Stop ends the server as Ctrl-C does and waits for it. An exit status other than 0 is an error.
func (l *Local) Stop() error {
	// A process that has ended already, or a system without interrupts, returns an error here.
	if err := l.cmd.Process.Signal(os.Interrupt); err != nil {
		l.cmd.Process.Kill()
	}
	select {
	case err := <-l.done:
		if err != nil {
			return fmt.Errorf("ecrkit local: %w", err)
		}
		return nil
	case <-time.After(10 * time.Second):
		l.cmd.Process.Kill()
		<-l.done
		return errors.New("ecrkit local did not end within 10 s of an interrupt")
	}
}

// ECR is the AWS SDK's client for the server.
func (l *Local) ECR() *ecr.Client {
	return ecr.New(ecr.Options{
		HTTPClient:   l.HTTP,
		Region:       l.Env["AWS_REGION"],
		BaseEndpoint: aws.String(l.Env["AWS_ENDPOINT_URL_ECR"]),
		Credentials:  credentials.NewStaticCredentialsProvider(l.Env["AWS_ACCESS_KEY_ID"], l.Env["AWS_SECRET_ACCESS_KEY"], ""),
	})
}

// Environ is base with the variables of Env in place of any that it has by the same name, and without other
// AWS settings, which could lead a client elsewhere.
func (l *Local) Environ(base []string) []string {
	var environ []string
	for _, variable := range base {
		if !strings.HasPrefix(variable, "AWS_") && !strings.HasPrefix(variable, "ECRKIT_") {
			environ = append(environ, variable)
		}
	}
	for name, value := range l.Env {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// command is exec.CommandContext that interrupts before it kills.
func command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}
