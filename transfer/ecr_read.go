package transfer

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrkit/ecrkit/auth"
)

// Resolve finds the image by tag or digest; "" is an error.
func (e *ECR) Resolve(ctx context.Context, reference string) (Manifest, error) {
	if reference == "" {
		return Manifest{}, fmt.Errorf("%s: name the image by a tag or digest", e)
	}
	id := types.ImageIdentifier{ImageTag: &reference}
	if _, err := digest.Parse(reference); err == nil {
		id = types.ImageIdentifier{ImageDigest: &reference}
	}
	images, err := e.images(ctx, "image "+reference, []types.ImageIdentifier{id})
	if err != nil {
		return Manifest{}, err
	}
	if len(images) != 1 {
		return Manifest{}, fmt.Errorf("%s: asked for image %s, got %d images", e, reference, len(images))
	}
	return images[0], nil
}

// Manifests gets the manifests with one call for each 100.
func (e *ECR) Manifests(ctx context.Context, descriptors []Descriptor) ([]Manifest, error) {
	found := map[digest.Digest]Manifest{}
	for chunk := range slices.Chunk(descriptors, batchSize) {
		ids := make([]types.ImageIdentifier, len(chunk))
		for i, d := range chunk {
			ids[i].ImageDigest = aws.String(string(d.Digest))
		}
		images, err := e.images(ctx, "manifests", ids)
		if err != nil {
			return nil, err
		}
		for _, m := range images {
			found[m.Descriptor.Digest] = m
		}
	}
	manifests := make([]Manifest, len(descriptors))
	for i, d := range descriptors {
		m, ok := found[d.Digest]
		if !ok {
			return nil, fmt.Errorf("%s: manifest %s: %w", e, d.Digest, ErrNotFound)
		}
		manifests[i] = m
	}
	return manifests, nil
}

// images calls BatchGetImage; a failure of one image is an error.
func (e *ECR) images(ctx context.Context, object string, ids []types.ImageIdentifier) ([]Manifest, error) {
	out, err := e.api.BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RegistryId:         &e.registry.Account,
		RepositoryName:     &e.repository,
		ImageIds:           ids,
		AcceptedMediaTypes: manifestMediaTypes,
	})
	if err != nil {
		return nil, e.fail(object, err)
	}
	if len(out.Failures) > 0 {
		f := out.Failures[0]
		var name string
		if id := f.ImageId; id != nil {
			name = cmp.Or(aws.ToString(id.ImageTag), aws.ToString(id.ImageDigest))
		}
		if f.FailureCode == types.ImageFailureCodeImageNotFound {
			return nil, fmt.Errorf("%s: image %s: %w", e, name, ErrNotFound)
		}
		return nil, fmt.Errorf("%s: image %s: %s: %s", e, name, f.FailureCode, auth.Redact(aws.ToString(f.FailureReason)))
	}
	manifests := make([]Manifest, len(out.Images))
	for i, image := range out.Images {
		if image.ImageId == nil {
			return nil, fmt.Errorf("%s: BatchGetImage answered an image without its digest", e)
		}
		content := []byte(aws.ToString(image.ImageManifest))
		manifests[i] = Manifest{Content: content, Descriptor: Descriptor{
			MediaType: aws.ToString(image.ImageManifestMediaType),
			Digest:    digest.Digest(aws.ToString(image.ImageId.ImageDigest)),
			Size:      int64(len(content)),
		}}
	}
	return manifests, nil
}

// Blob gets a pre-signed URL and opens it.
func (e *ECR) Blob(ctx context.Context, d Descriptor) (io.ReadCloser, error) {
	object := "layer " + string(d.Digest)
	out, err := e.api.GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{
		RegistryId:     &e.registry.Account,
		RepositoryName: &e.repository,
		LayerDigest:    aws.String(string(d.Digest)),
	})
	var unknown *types.LayersNotFoundException
	if errors.As(err, &unknown) {
		return nil, fmt.Errorf("%s: %s: %w", e, object, ErrNotFound)
	}
	if err != nil {
		return nil, e.fail(object, err)
	}
	body, err := e.get(ctx, aws.ToString(out.DownloadUrl))
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", e, object, err)
	}
	return body, nil
}

// get opens a pre-signed URL. Its query is a credential: no error repeats it.
func (e *ECR) get(ctx context.Context, signed string) (io.ReadCloser, error) {
	u, err := url.Parse(signed)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, errors.New("the download URL that Amazon ECR gave is not an http(s) URL")
	}
	place := u.Scheme + "://" + u.Host + u.Path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, signed, nil)
	if err != nil {
		return nil, fmt.Errorf("GET %s: not a valid request", place)
	}
	// Otherwise Go asks for gzip by itself and unpacks what comes back.
	request.Header.Set("Accept-Encoding", "identity")
	response, err := e.Layers.Do(request)
	if err != nil {
		var transport *url.Error
		if errors.As(err, &transport) {
			err = transport.Err
		}
		return nil, fmt.Errorf("GET %s: %w", place, err)
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, fmt.Errorf("GET %s: %s%s", place, response.Status, s3Error(response.Body))
	}
	return response.Body, nil
}

// s3Error is what the XML of an S3 error says, for the end of a message.
func s3Error(r io.Reader) string {
	var doc struct{ Code, Message string }
	data, err := io.ReadAll(io.LimitReader(r, 8<<10))
	if err != nil || xml.Unmarshal(data, &doc) != nil || doc.Code == "" {
		return ""
	}
	return ": " + auth.Redact(doc.Code+": "+doc.Message)
}
