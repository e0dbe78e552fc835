package localecr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/localecr/internal/identity"
	"github.com/ecrkit/ecrkit/localecr/internal/model"
	"github.com/ecrkit/ecrkit/localecr/internal/registry"
	"github.com/ecrkit/ecrkit/localecr/internal/sigv4"
	"github.com/ecrkit/ecrkit/localecr/internal/wire"
)

// The targets of the two services that speak AWS JSON 1.1.
const (
	targetECR = "AmazonEC2ContainerRegistry_V20150921."
	targetKMS = "TrentService."
)

const (
	// maxRequest bounds the body of every operation but UploadLayerPart, in bytes: a manifest of 4 MiB
	// whose every character is escaped in the JSON string fits.
	maxRequest = 26 << 20
	// maxSkew is how far the time of a signature may be from the time of the service.
	maxSkew = 5 * time.Minute
)

// serveAPI serves the AWS API: ECR and KMS by AWS JSON 1.1, STS by the query protocol.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	if target == "" {
		s.serveSTS(w, r)
		return
	}
	name, isECR := strings.CutPrefix(target, targetECR)
	if !isECR {
		s.serveKMS(w, r, target)
		return
	}
	s.serve(w, r, EndpointAPI, name, "", func(x *exchange) {
		if r.Method != http.MethodPost {
			x.fail(commonError(codeUnknownOperation, "The AWS API is called with POST, not %s", r.Method))
			return
		}
		if name == "UploadLayerPart" {
			x.answerJSON(x.uploadLayerPart())
			return
		}
		body, err := x.authenticateBody("ecr")
		if err != nil {
			x.fail(err)
			return
		}
		run, ok := operations[name]
		if !ok {
			x.fail(commonError(codeUnknownOperation, "%s is not an operation of the local ECR", name))
			return
		}
		if !s.buckets.take(x.principal.Account, x.region, name) {
			x.fail(throttled())
			return
		}
		x.answerJSON(run(r.Context(), x, body))
	})
}

// authenticateBody reads the whole body and checks the signature over it.
func (x *exchange) authenticateBody(service string) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxRequest))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, commonError("RequestEntityTooLargeException", "The request has more than %d bytes", tooLarge.Limit)
		}
		return nil, commonError(codeSerialization, "the request's body could not be read: %v", err)
	}
	claim, err := x.claim(service)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return body, claim.prove(hex.EncodeToString(sum[:]))
}

// regionPattern is the form of a region's name, such as us-east-1, us-gov-west-1 or eusc-de-east-1.
var regionPattern = lazyregexp.New(`^[a-z]+(-[a-z]+)+-[0-9]{1,2}$`)

// A claim is a signature whose body is not yet known.
type claim struct {
	x         *exchange
	request   *sigv4.Request
	principal identity.Principal
	secret    string
}

// claim reads the signature of the request: whose it says to be, of which time and for what.
func (x *exchange) claim(service string) (*claim, error) {
	req, err := sigv4.Parse(x.r)
	if err != nil {
		return nil, err
	}
	if req.Service != service {
		return nil, commonError(codeInvalidSignature, "Credential should be scoped to correct service: '%s'.", service)
	}
	if !regionPattern.MatchString(req.Region) {
		return nil, commonError(codeInvalidSignature, "Credential should be scoped to a valid region, not '%s'.", req.Region)
	}
	principal, secret, err := x.server.identities().Resolve(req.AccessKeyID, req.SessionToken)
	if err != nil {
		return nil, err
	}
	// A service whose clock was set elsewhere is still called by clients with the machine's time.
	if err := sigv4.CheckTime(req.Time, x.server.clock.Now(), maxSkew); err != nil {
		if sigv4.CheckTime(req.Time, time.Now(), maxSkew) != nil {
			return nil, err
		}
	}
	return &claim{x: x, request: req, principal: principal, secret: secret}, nil
}

// prove checks the signature, with the hash of the body that was read.
func (c *claim) prove(payloadHash string) error {
	if err := c.request.Verify(c.secret, payloadHash); err != nil {
		return err
	}
	c.x.authenticated(c.principal, c.request.Region)
	return nil
}

// An operation decodes its input, runs, and returns its output.
type operation func(ctx context.Context, x *exchange, body []byte) (any, error)

// on makes an operation of a method of the registry.
func on[In, Out any](method func(*registry.Registry, context.Context, *In) (*Out, error)) operation {
	return func(ctx context.Context, x *exchange, body []byte) (any, error) {
		in := new(In)
		if err := x.decodeECR(body, in); err != nil {
			return nil, err
		}
		out, err := method(x.registry(), ctx, in)
		if err != nil {
			return nil, err
		}
		x.note(out)
		return out, nil
	}
}

// decode reads the input of an operation.
func (x *exchange) decode(body []byte, in any, c wire.Case) error {
	if err := wire.Decode(body, in, c); err != nil {
		return commonError(codeSerialization, "the request does not have the shape of %s: %v", x.call.Op, err)
	}
	x.note(in)
	return nil
}

// decodeECR reads the input of an operation of ECR, and checks that the caller may do it and that it satisfies the model.
func (x *exchange) decodeECR(body []byte, in any) error {
	if err := x.decode(body, in, wire.LowerCamel); err != nil {
		return err
	}
	if err := x.authorizeInput(in); err != nil {
		return err
	}
	return model.Check(x.call.Op, in)
}

// note keeps for the audit log what an input or output says of repository and digest.
func (x *exchange) note(shape any) {
	if name := stringMember(shape, "RepositoryName"); name != "" {
		x.call.Repository = name
	}
	for _, member := range []string{"ImageDigest", "LayerDigest"} {
		if digest := stringMember(shape, member); digest != "" {
			x.call.Digest = digest
		}
	}
	if f := reflect.ValueOf(shape).Elem().FieldByName("ImageId"); f.IsValid() {
		if id, ok := f.Interface().(*types.ImageIdentifier); ok && id != nil && id.ImageDigest != nil {
			x.call.Digest = *id.ImageDigest
		}
	}
	if out, ok := shape.(*ecr.PutImageOutput); ok {
		x.call.Digest = *out.Image.ImageId.ImageDigest
	}
}

// stringMember returns a member of one of the SDK's structs, "" if it has none of this name.
func stringMember(shape any, name string) string {
	f := reflect.ValueOf(shape).Elem().FieldByName(name)
	if !f.IsValid() {
		return ""
	}
	s, _ := f.Interface().(*string)
	return aws.ToString(s)
}

// answerJSON answers with the output of an operation, or its error.
func (x *exchange) answerJSON(out any, err error) {
	if err != nil {
		x.fail(err)
		return
	}
	body, err := wire.Encode(out, x.spelling())
	if err != nil {
		x.fail(err)
		return
	}
	x.writeJSON(http.StatusOK, body)
}

func (x *exchange) spelling() wire.Case {
	if strings.HasPrefix(x.r.Header.Get("X-Amz-Target"), targetKMS) {
		return wire.UpperCamel
	}
	return wire.LowerCamel
}

func (x *exchange) writeJSON(status int, body []byte) {
	x.w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	x.w.Header().Set("X-Amzn-RequestId", x.requestID)
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body) // fails only when the client has gone
}

// failAPI answers with an error: {"__type", "message"} and the error's own members.
func (x *exchange) failAPI(err error) {
	if x.r.Header.Get("X-Amz-Target") == "" {
		x.failSTS(err)
		return
	}
	api := asAPIError(err)
	x.call.Error = api.ErrorCode() + ": " + api.ErrorMessage()
	status := http.StatusBadRequest
	var scripted *scriptedError
	switch {
	case errors.As(err, &scripted):
		status = scripted.fault.Status
	case api.ErrorFault() == smithy.FaultServer:
		status = http.StatusInternalServerError
		x.internal(err)
	}
	x.writeJSON(status, encodeError(api))
}

// encodeError writes an exception of the SDK with all its members, any other with its message.
func encodeError(api smithy.APIError) []byte {
	members := map[string]json.RawMessage{}
	if _, generic := api.(*smithy.GenericAPIError); !generic {
		if body, err := wire.Encode(api, wire.LowerCamel); err == nil {
			_ = json.Unmarshal(body, &members) // a scripted error has no members
		}
	}
	// Strings always marshal, and so does a map of what did.
	members["__type"], _ = json.Marshal(api.ErrorCode())
	members["message"], _ = json.Marshal(api.ErrorMessage())
	body, _ := json.Marshal(members)
	return body
}
