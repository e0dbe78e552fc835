package localecr

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/ecrkit/ecrkit/localecr/internal/identity"
)

// A v2Error is an error in the registry's own terms.
type v2Error struct {
	status  int
	code    string
	message string
}

func (e *v2Error) Error() string { return e.code + ": " + e.message }

// v2Codes are the registry's words for the exceptions of the AWS API. Sources: the OCI distribution
// specification's error codes, and what ECR was seen to answer where that differs (405 for a manifest
// or parameter that it does not take, TAG_INVALID for an immutable tag).
var v2Codes = map[string]struct {
	status int
	code   string
}{
	codeAccessDenied:                    {http.StatusForbidden, "DENIED"},
	codeThrottling:                      {http.StatusTooManyRequests, "TOOMANYREQUESTS"},
	"EmptyUploadException":              {http.StatusBadRequest, "BLOB_UPLOAD_INVALID"},
	"ImageDigestDoesNotMatchException":  {http.StatusBadRequest, "DIGEST_INVALID"},
	"ImageNotFoundException":            {http.StatusNotFound, "MANIFEST_UNKNOWN"},
	"ImageTagAlreadyExistsException":    {http.StatusBadRequest, "TAG_INVALID"},
	"InvalidLayerException":             {http.StatusBadRequest, "DIGEST_INVALID"},
	"InvalidLayerPartException":         {http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID"},
	"InvalidParameterException":         {http.StatusMethodNotAllowed, "UNSUPPORTED"},
	"LayerInaccessibleException":        {http.StatusNotFound, "BLOB_UNKNOWN"},
	"LayerPartTooSmallException":        {http.StatusBadRequest, "BLOB_UPLOAD_INVALID"},
	"LayersNotFoundException":           {http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN"},
	"LimitExceededException":            {http.StatusMethodNotAllowed, "UNSUPPORTED"},
	"ReferencedImagesNotFoundException": {http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN"},
	"RepositoryNotFoundException":       {http.StatusNotFound, "NAME_UNKNOWN"},
	"UnableToGetUpstreamImageException": {http.StatusForbidden, "DENIED"},
	"UploadNotFoundException":           {http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN"},
}

// asV2Error puts any error in the registry's terms.
func asV2Error(err error) *v2Error {
	var v2 *v2Error
	if errors.As(err, &v2) {
		return v2
	}
	switch {
	case errors.Is(err, identity.ErrTokenMalformed), // aws-cli#4962, aws-cli#6128
		errors.Is(err, identity.ErrTokenRegion):
		return &v2Error{http.StatusBadRequest, "DENIED", err.Error()}
	case errors.Is(err, identity.ErrTokenInvalid), errors.Is(err, identity.ErrTokenExpired):
		return &v2Error{http.StatusForbidden, "DENIED", err.Error()}
	}
	var scripted *scriptedError
	if errors.As(err, &scripted) {
		out := &v2Error{scripted.fault.Status, scripted.fault.Code, scripted.fault.Message}
		if out.code == "" {
			out.code = "UNKNOWN"
			if out.status == http.StatusTooManyRequests {
				out.code = "TOOMANYREQUESTS"
			}
		}
		return out
	}
	api := asAPIError(err)
	if known, ok := v2Codes[api.ErrorCode()]; ok {
		return &v2Error{known.status, known.code, api.ErrorMessage()}
	}
	return &v2Error{http.StatusInternalServerError, "UNKNOWN", api.ErrorMessage()}
}

// internalIfOurs reports an error that has become a failure of the server, unless a fault wanted that.
func (x *exchange) internalIfOurs(v2 *v2Error, err error) {
	var scripted *scriptedError
	if v2.status == http.StatusInternalServerError && !errors.As(err, &scripted) {
		x.internal(err)
	}
}

// failV2 answers with an error as the OCI distribution specification has it.
func (x *exchange) failV2(err error) {
	if errors.Is(err, errUnauthorized) {
		x.call.Error = "UNAUTHORIZED: " + err.Error()
		x.w.Header().Set("WWW-Authenticate", `Basic realm="`+schemeOf(x.r)+`://`+x.r.Host+`/",service="ecr.amazonaws.com"`)
		http.Error(x.w, "Not Authorized", http.StatusUnauthorized)
		return
	}
	v2 := asV2Error(err)
	x.call.Error = v2.Error()
	x.internalIfOurs(v2, err)
	type item struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	body, _ := json.Marshal(map[string][]item{"errors": {{v2.code, v2.message}}}) // strings always marshal
	x.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	x.w.WriteHeader(v2.status)
	_, _ = x.w.Write(append(body, '\n')) // fails only when the client has gone
}
