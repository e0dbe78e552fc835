package sign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// Predicate is what an attestation says of an image:
// https://github.com/in-toto/attestation/blob/main/spec/v1/README.md.
type Predicate struct {
	Type    string          // a URI
	Content json.RawMessage // one JSON object
}

// Attest attaches a signed statement about the image that m is, unless there is
// one by the same key that says the same. Recursive and Formats of opts do not
// count: an attestation is a bundle.
func Attest(ctx context.Context, store Store, m content.Manifest, signer *Signer, p Predicate, opts Options) (Signed, error) {
	data, err := p.check()
	if err != nil {
		return Signed{}, err
	}
	opts.Formats = nil
	if opts, err = opts.complete(store); err != nil {
		return Signed{}, err
	}
	images, err := imagesToSign(ctx, store, m, false)
	if err != nil {
		return Signed{}, err
	}
	j := newBundleJob(store, images[0], signer, p.Type, data, opts)
	all, err := run(ctx, store, []job{j}, m.Descriptor.Digest, opts.LockDir)
	if err != nil {
		return Signed{}, err
	}
	return all[0], nil
}

// check returns the content without spaces.
func (p Predicate) check() ([]byte, error) {
	u, err := url.Parse(p.Type)
	switch {
	case err != nil || !u.IsAbs():
		return nil, fmt.Errorf("the predicate type %q is not a URI", p.Type)
	case p.Type == signaturePredicateType:
		return nil, fmt.Errorf("the predicate type %s makes a statement a signature; sign the image instead", p.Type)
	}
	var compact bytes.Buffer
	err = checkJSON(p.Content, maxPredicateSize)
	if err == nil {
		err = json.Compact(&compact, p.Content)
	}
	if err == nil && !bytes.HasPrefix(compact.Bytes(), []byte("{")) {
		err = errors.New("it is not a JSON object")
	}
	if err != nil {
		return nil, fmt.Errorf("predicate: %w", err)
	}
	return compact.Bytes(), nil
}

// maxPredicateSize bounds a predicate, in bytes, so that its bundle, in base64,
// stays below maxBundleSize.
const maxPredicateSize = maxBundleSize/4*3 - 1<<20
