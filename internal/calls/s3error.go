package calls

import (
	"encoding/xml"
)

// ParseS3Error reads the XML of an S3 error; "" is none.
func ParseS3Error(data []byte) (code, message string) {
	var doc struct{ Code, Message string }
	if xml.Unmarshal(data, &doc) != nil {
		return "", ""
	}
	return doc.Code, doc.Message
}
