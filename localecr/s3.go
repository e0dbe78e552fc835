package localecr

import (
	"encoding/xml"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ecrkit/ecrkit/localecr/internal/registry"
	"github.com/ecrkit/ecrkit/localecr/internal/sigv4"
)

const (
	// routeLayer is where the stand-in for S3 has the layers: downloadPath + digest.
	downloadPath = "/layers/"
	routeLayer   = downloadPath + "{digest}"
	// downloadAccessKey is who signs the URLs. It is no principal's: it opens nothing else.
	downloadAccessKey = "AKIALOCALECRLAYERS00"
)

// downloadURL signs a URL for the bytes of a layer.
func (x *exchange) downloadURL(digest string) (string, error) {
	s := x.server
	base := schemeOf(x.r) + "://" + s.downloadHost(x.r.Host)
	key := aws.Credentials{AccessKeyID: downloadAccessKey, SecretAccessKey: s.downloadSecret}
	return sigv4.Presign(x.r.Context(), http.MethodGet, base+downloadPath+digest, key, x.region, s.clock.Now(), s.urlLifetime)
}

// serveS3 serves the bytes of layers: what ECR leaves to S3.
func (s *Server) serveS3(w http.ResponseWriter, r *http.Request) {
	digest, isLayer := strings.CutPrefix(r.URL.Path, downloadPath)
	s.serve(w, r, EndpointS3, r.Method+" "+routeLayer, "", func(x *exchange) {
		x.call.Range = strings.TrimPrefix(r.Header.Get("Range"), "bytes=")
		if !isLayer || !registry.ValidDigest(digest) {
			x.fail(&s3Error{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."})
			return
		}
		x.call.Digest = digest
		if err := x.checkSignedURL(); err != nil {
			x.fail(err)
			return
		}
		f, err := s.store.OpenLayer(digest)
		if errors.Is(err, fs.ErrNotExist) {
			err = &s3Error{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."}
		}
		if err != nil {
			x.fail(err)
			return
		}
		defer f.Close() // opened for reading
		x.w.Header().Set("Content-Type", "binary/octet-stream")
		x.w.Header().Set("ETag", `"`+strings.TrimPrefix(digest, "sha256:")+`"`)
		http.ServeContent(x.w, r, "", time.Time{}, f)
	})
}

func (x *exchange) checkSignedURL() error {
	if !x.server.quirk(QuirkOneAuthMechanism) || x.server.downloadsAlike(x.r.Host) {
		x.r.Header.Del("Authorization")
	}
	req, err := sigv4.ParseQuery(x.r)
	switch {
	case errors.Is(err, sigv4.ErrTwoMechanisms):
		return &s3Error{http.StatusBadRequest, "InvalidArgument", err.Error()}
	case errors.Is(err, sigv4.ErrMissingAuthentication):
		return &s3Error{http.StatusForbidden, "AccessDenied", "Access Denied"}
	case err != nil:
		return &s3Error{http.StatusBadRequest, "AuthorizationQueryParametersError", err.Error()}
	case req.AccessKeyID != downloadAccessKey:
		return &s3Error{http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."}
	}
	if err := req.Verify(x.server.downloadSecret, sigv4.UnsignedPayload); err != nil {
		return &s3Error{http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method."}
	}
	if err := req.CheckExpiry(x.server.clock.Now()); err != nil {
		return &s3Error{http.StatusForbidden, "AccessDenied", "Request has expired"}
	}
	return nil
}

// s3Error is an error as S3 has it: in XML.
type s3Error struct {
	status  int
	Code    string
	Message string
}

func (e *s3Error) Error() string { return e.Code + ": " + e.Message }

func (x *exchange) failS3(err error) {
	var s3 *s3Error
	if !errors.As(err, &s3) {
		v2 := asV2Error(err)
		x.internalIfOurs(v2, err)
		s3 = &s3Error{v2.status, v2.code, v2.message}
		if v2.status == http.StatusServiceUnavailable && v2.code == "UNKNOWN" {
			s3.Code, s3.Message = "SlowDown", "Please reduce your request rate."
		}
	}
	x.call.Error = s3.Error()
	body, _ := xml.Marshal(struct { // strings always marshal
		XMLName   xml.Name `xml:"Error"`
		Code      string
		Message   string
		RequestID string `xml:"RequestId"`
	}{Code: s3.Code, Message: s3.Message, RequestID: x.requestID})
	x.w.Header().Set("Content-Type", "application/xml")
	x.w.WriteHeader(s3.status)
	_, _ = x.w.Write(append([]byte(xml.Header), body...)) // fails only when the client has gone
}
