package localecr

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/ecrkit/ecrkit/localecr/internal/layerpart"
)

// maxPartRequest bounds the body of UploadLayerPart in bytes: the largest part in base64, and its
// other members. A part that is a little too large is read whole, so that its error is ECR's own.
const maxPartRequest = 21<<20/3*4 + 64<<10

// uploadLayerPart reads a part without ever having it in memory: the signature's hash and the
// part's bytes are computed as the body arrives. Several parts of one layer may arrive at once; the
// registry takes them in their order.
func (x *exchange) uploadLayerPart() (any, error) {
	claim, err := x.claim("ecr")
	if err != nil {
		return nil, err
	}
	part, err := x.server.store.NewPart()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := part.Discard(); err != nil {
			x.internal(err)
		}
	}()
	hashed := &hashingReader{r: http.MaxBytesReader(x.w, x.r.Body, maxPartRequest), h: sha256.New()}
	members, decodeErr := layerpart.Read(hashed, part)
	// The signature is over the whole body, whatever is wrong with it.
	if _, err := io.Copy(io.Discard, hashed); err != nil {
		return nil, commonError(codeSerialization, "the request's body could not be read: %v", err)
	}
	if err := claim.prove(hex.EncodeToString(hashed.h.Sum(nil))); err != nil {
		return nil, err
	}
	if decodeErr != nil {
		return nil, commonError(codeSerialization, "the request does not have the shape of UploadLayerPart: %v", decodeErr)
	}
	if !x.server.buckets.take(x.principal.Account, x.region, x.call.Op) {
		return nil, throttled()
	}
	in := new(ecr.UploadLayerPartInput)
	if err := x.decodeECR(members, in); err != nil {
		return nil, err
	}
	if in.PartFirstByte != nil && in.PartLastByte != nil {
		x.call.Range = fmt.Sprintf("%d-%d", *in.PartFirstByte, *in.PartLastByte)
	}
	return x.registry().UploadLayerPart(x.r.Context(), in, part)
}

// hashingReader hashes what is read through it.
type hashingReader struct {
	r io.Reader
	h hash.Hash
}

func (r *hashingReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.h.Write(p[:n])
	return n, err
}
