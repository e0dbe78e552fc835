package registry

import (
	"encoding/base64"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// A page is the part of a list that one call returns: at most size items, those after the key in
// the token. Tokens are opaque to the caller and good for one operation only.
type page struct {
	operation string
	after     string // the last key of the page before; "" on the first
	size      int
}

func newPage(operation string, token *string, maxResults *int32, preset, most int32) (page, error) {
	p := page{operation: operation, size: int(preset)}
	if maxResults != nil {
		if *maxResults < 1 || *maxResults > most {
			return page{}, invalidParameter("maxResults", "must be between 1 and %d", most)
		}
		p.size = int(*maxResults)
	}
	if token != nil {
		raw, err := base64.URLEncoding.DecodeString(*token)
		key, ok := strings.CutPrefix(string(raw), operation+"\x00")
		if err != nil || !ok || key == "" {
			return page{}, invalidParameter("nextToken", "must be a token returned by %s", operation)
		}
		p.after = key
	}
	return p, nil
}

// next is the token of the page after the one whose last key is last.
func (p page) next(last string) *string {
	return aws.String(base64.URLEncoding.EncodeToString([]byte(p.operation + "\x00" + last)))
}
