package fakeaws

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go"
)

// code is the code of an error of AWS, or "".
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func TestMetadata(t *testing.T) {
	clock := clockAt(0)
	w := Start(t, Options{Now: clock.now})
	var client *imds.Client
	var role *ec2rolecreds.Provider
	renew := func() {
		client = imds.New(imds.Options{Endpoint: w.Metadata.URL, Retryer: aws.NopRetryer{}})
		role = ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = client })
	}
	renew()
	get := func() aws.Credentials { return must[aws.Credentials](t)(role.Retrieve(t.Context())) }

	if _, err := role.Retrieve(t.Context()); err == nil {
		t.Error("credentials of an instance without a role")
	}
	w.Metadata.SetRole("one")
	first := get()
	if again := get(); again.AccessKeyID != first.AccessKeyID || w.Principals.Of(first.AccessKeyID) != "imds/one" {
		t.Error("the access key changes, or is another's")
	}
	w.Metadata.Rotate()
	second := get()
	if second.AccessKeyID == first.AccessKeyID || w.Principals.Of(second.AccessKeyID) != "imds/one" {
		t.Error("the access key was not rotated, or is another's")
	}
	w.Metadata.SetRole("two")
	if w.Principals.Of(get().AccessKeyID) != "imds/two" {
		t.Error("the instance has still the old role")
	}
	third := get()
	clock.set(5*time.Hour + 50*time.Minute)
	if _, err := role.Retrieve(t.Context()); err == nil {
		t.Error("a token of 5 minutes is good for hours")
	}
	renew()
	if fresh := get(); fresh.AccessKeyID == third.AccessKeyID {
		t.Error("credentials are given in the last minutes of their life")
	}

	w.Metadata.SetRegion("eu-central-1")
	if out, err := client.GetRegion(t.Context(), nil); err != nil || out.Region != "eu-central-1" {
		t.Error(out, err)
	}
	for path, want := range map[string]string{"placement/region": "eu-central-1", "placement/availability-zone": "eu-central-1a", "iam/security-credentials": "two"} {
		out, err := client.GetMetadata(t.Context(), &imds.GetMetadataInput{Path: path})
		if err != nil {
			t.Error(path, err)
			continue
		}
		if body, err := io.ReadAll(out.Content); err != nil || string(body) != want {
			t.Errorf("%s: %q %v", path, body, err)
		}
	}
	if _, err := client.GetMetadata(t.Context(), &imds.GetMetadataInput{Path: "hostname"}); err == nil {
		t.Error("there is a hostname")
	}
	if w.Metadata.Count("GetToken") != 2 {
		t.Errorf("%v", w.Metadata.Calls())
	}
}

func TestMetadataIsStrict(t *testing.T) {
	w := Start(t, Options{})
	w.Metadata.SetRole("one")
	const ttl = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	for _, c := range []struct {
		method, path string
		header       map[string]string
		want         int
	}{
		{"GET", metadataRoles, nil, http.StatusUnauthorized},
		{"GET", metadataRoles, map[string]string{"X-Aws-Ec2-Metadata-Token": "x"}, http.StatusUnauthorized},
		{"PUT", metadataRoles, nil, http.StatusMethodNotAllowed},
		{"GET", metadataToken, nil, http.StatusMethodNotAllowed},
		{"PUT", metadataToken, nil, http.StatusBadRequest},
		{"PUT", metadataToken, map[string]string{ttl: "21601"}, http.StatusBadRequest},
		{"PUT", metadataToken, map[string]string{ttl: "60", "X-Forwarded-For": "10.0.0.1"}, http.StatusForbidden},
		{"PUT", metadataToken, map[string]string{ttl: "60"}, http.StatusOK},
		{"GET", "/latest/user-data", nil, http.StatusUnauthorized},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, w.Metadata.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range c.header {
			r.Header.Set(name, value)
		}
		response := must[*http.Response](t)(http.DefaultClient.Do(r))
		_ = response.Body.Close()
		if response.StatusCode != c.want {
			t.Errorf("%s %s %v: %s, want %d", c.method, c.path, c.header, response.Status, c.want)
		}
	}
}

func TestContainer(t *testing.T) {
	clock := clockAt(0)
	w := Start(t, Options{Now: clock.now})
	file := &TokenFile{Path: t.TempDir() + "/token", Claims: Claims{Subject: "pod"}, Now: clock.now}
	token := must[string](t)(file.Rotate())
	w.Container.SetTasks(
		Task{Principal: "task/1", Path: "/1"},
		Task{Principal: "task/2", Path: "/2", Authorization: "secret"},
		Task{Principal: "pod", Subject: "pod"},
	)
	get := func(path, authorization string) (aws.Credentials, error) {
		return endpointcreds.New(w.Container.URL+path, func(o *endpointcreds.Options) {
			o.AuthorizationToken = authorization
			o.Retryer = aws.NopRetryer{}
		}).Retrieve(t.Context())
	}
	for _, c := range []struct{ path, authorization, want string }{
		{"/1", "", "task/1"},
		{"/2", "secret", "task/2"},
		{"/any", token, "pod"},
		{"/1", token, "task/1"},
	} {
		got, err := get(c.path, c.authorization)
		if err != nil || w.Principals.Of(got.AccessKeyID) != c.want || !got.CanExpire {
			t.Errorf("%s: %q %v", c.path, w.Principals.Of(got.AccessKeyID), err)
		}
	}
	if a, b := must[aws.Credentials](t)(get("/1", "")), must[aws.Credentials](t)(get("/1", "")); a.AccessKeyID != b.AccessKeyID {
		t.Error("the access key changes")
	} else if w.Container.Rotate(); must[aws.Credentials](t)(get("/1", "")).AccessKeyID == a.AccessKeyID {
		t.Error("the access key does not change")
	}
	for _, c := range []struct{ path, authorization string }{
		{"/2", "Secret"}, {"/2", ""}, {"/3", ""}, {"/3", JWT(Claims{Subject: "other", ExpiresAt: time.Now().Add(time.Hour)})},
	} {
		if _, err := get(c.path, c.authorization); code(err) != "AccessDeniedException" {
			t.Errorf("%s: %v", c.path, err)
		}
	}
	clock.set(2 * time.Hour)
	if _, err := get("/3", token); code(err) != "AccessDeniedException" {
		t.Errorf("expired token: %v", err)
	}
	w.Container.SetTasks()
	if _, err := get("/1", ""); code(err) != "InvalidIdInRequest" {
		t.Errorf("no task: %v", err)
	}
	response := must[*http.Response](t)(http.Post(w.Container.URL, "", nil))
	if _ = response.Body.Close(); response.StatusCode != http.StatusMethodNotAllowed {
		t.Error(response.Status)
	}
}

func TestBlackHole(t *testing.T) {
	var b BlackHole
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	b.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		_ = b.Wait(ctx, Attempt, 1)
	}()
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, b.URL+metadataToken, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultClient.Do(r); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if b.Count(Attempt) != 1 {
		t.Errorf("%v", b.Calls())
	}
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Error(err)
	}
}
