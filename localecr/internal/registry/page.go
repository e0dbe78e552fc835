package registry

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// A page is the part of a list that one call returns: at most size items, those after the key in
// the token. Tokens are opaque to the caller and good for one operation only; one that was altered is refused.
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
		if err != nil || len(raw) <= tokenSum || *p.next(string(raw[tokenSum:])) != *token {
			return page{}, invalidParameter("nextToken", "must be a token returned by %s", operation)
		}
		p.after = string(raw[tokenSum:])
	}
	return p, nil
}

// tokenSum is the length of the checksum that begins a token, in bytes.
const tokenSum = 12

// next is the token of the page after the one whose last key is last.
func (p page) next(last string) *string {
	sum := sha256.Sum256([]byte(p.operation + "\x00" + last))
	return aws.String(base64.URLEncoding.EncodeToString(append(sum[:tokenSum], last...)))
}
