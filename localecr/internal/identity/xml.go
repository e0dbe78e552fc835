package identity

import (
	"bytes"
	"encoding/xml"
	"errors"
	"net/http"
)

const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// WriteXML answers an STS action with its result, one of this package's result
// structs, in the AWS query protocol.
func WriteXML(w http.ResponseWriter, action string, result any, requestID string) {
	var b bytes.Buffer
	e := xml.NewEncoder(&b)
	root := xml.StartElement{Name: xml.Name{Local: action + "Response"}, Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: stsNamespace}}}
	metadata := struct {
		RequestID string `xml:"RequestId"`
	}{requestID}
	err := errors.Join(
		e.EncodeToken(root),
		e.EncodeElement(result, xml.StartElement{Name: xml.Name{Local: action + "Result"}}),
		e.EncodeElement(metadata, xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}}),
		e.EncodeToken(root.End()),
		e.Flush())
	if err != nil {
		WriteXMLError(w, err, requestID)
		return
	}
	writeXML(w, http.StatusOK, b.Bytes(), requestID)
}

// WriteXMLError answers with an error in the AWS query protocol: an *Error as it
// is, the errors of Resolve with STS's codes for them, anything else as an
// InternalFailure that says nothing more.
func WriteXMLError(w http.ResponseWriter, err error, requestID string) {
	var answer struct {
		XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Error   struct {
			Type    string
			Code    string
			Message string
		}
		RequestID string `xml:"RequestId"`
	}
	status := http.StatusBadRequest
	answer.Error.Type = "Sender"
	answer.RequestID = requestID
	var known *Error
	switch {
	case errors.As(err, &known):
	case errors.Is(err, ErrUnknownKey), errors.Is(err, ErrInvalidToken):
		known = &Error{Code: "InvalidClientTokenId", Message: invalidToken}
	case errors.Is(err, ErrExpiredToken):
		known = &Error{Code: "ExpiredToken", Message: ErrExpiredToken.Error()}
	default:
		known = &Error{Code: "InternalFailure", Message: "The request processing has failed because of an unknown error, exception or failure.", Status: http.StatusInternalServerError}
	}
	switch known.Code {
	case "AccessDenied", "ExpiredToken", "InvalidClientTokenId", "MissingAuthenticationToken", "SignatureDoesNotMatch":
		status = http.StatusForbidden
	}
	if known.Status != 0 {
		status = known.Status
	}
	if status >= http.StatusInternalServerError {
		answer.Error.Type = "Receiver"
	}
	answer.Error.Code, answer.Error.Message = known.Code, known.Message
	body, err := xml.Marshal(answer)
	if err != nil {
		http.Error(w, "InternalFailure", http.StatusInternalServerError)
		return
	}
	writeXML(w, status, body, requestID)
}

func writeXML(w http.ResponseWriter, status int, body []byte, requestID string) {
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("X-Amzn-Requestid", requestID)
	w.WriteHeader(status)
	w.Write(body)
}
