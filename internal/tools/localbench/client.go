//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/ecrkit/ecrkit/localecr"
)

// A client calls the AWS API with little work of its own: what is measured shares the cores with it.
type client struct {
	url    string
	http   *http.Client
	signer *v4.Signer
	key    aws.Credentials
}

func newClient(url string, connections int) *client {
	user := localecr.DefaultAccounts()[0].Users[0]
	return &client{
		url:    url,
		http:   &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}},
		signer: v4.NewSigner(),
		key:    aws.Credentials{AccessKeyID: user.AccessKeyID, SecretAccessKey: user.SecretAccessKey},
	}
}

// call calls an operation and decodes its output, unless out is nil.
func (c *client) call(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921."+operation)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	sum := sha256.Sum256(body)
	if err := c.signer.SignHTTP(ctx, c.key, req, hex.EncodeToString(sum[:]), "ecr", localecr.DefaultRegion, time.Now()); err != nil {
		return err
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close() // read to its end, or of no use any more
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", operation, answer.Status, data)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(data, out)
}

// blob is a layer or config.
type blob struct {
	MediaType string `json:"mediaType"`
	Size      int    `json:"size"`
	Digest    string `json:"digest"`
}

// input is that of an operation.
type input map[string]any

// upload stores a layer in a repository.
func (c *client) upload(ctx context.Context, repository, mediaType string, data []byte) (blob, error) {
	var upload struct{ UploadID string }
	if err := c.call(ctx, "InitiateLayerUpload", input{"repositoryName": repository}, &upload); err != nil {
		return blob{}, err
	}
	err := c.call(ctx, "UploadLayerPart", input{
		"repositoryName": repository, "uploadId": upload.UploadID, "partFirstByte": 0, "partLastByte": len(data) - 1,
		"layerPartBlob": base64.StdEncoding.EncodeToString(data),
	}, nil)
	if err != nil {
		return blob{}, err
	}
	sum := sha256.Sum256(data)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	err = c.call(ctx, "CompleteLayerUpload", input{"repositoryName": repository, "uploadId": upload.UploadID, "layerDigests": []string{digest}}, nil)
	return blob{mediaType, len(data), digest}, err
}

// An imageMaker makes images that share their layers, as those of one application do, and differ in an annotation.
type imageMaker struct{ config, layers json.RawMessage }

// layersPerImage are shared by all images.
const layersPerImage = 5

func (c *client) newRepository(ctx context.Context, name string) (*imageMaker, error) {
	if err := c.call(ctx, "CreateRepository", input{"repositoryName": name}, nil); err != nil {
		return nil, err
	}
	config, err := c.upload(ctx, name, "application/vnd.oci.image.config.v1+json", []byte(`{"architecture":"amd64","os":"linux"}`))
	if err != nil {
		return nil, err
	}
	var layers []blob
	for i := range layersPerImage {
		layer, err := c.upload(ctx, name, "application/vnd.oci.image.layer.v1.tar+gzip", fmt.Appendf(nil, "layer %d", i))
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	m := &imageMaker{}
	if m.config, err = json.Marshal(config); err != nil {
		return nil, err
	}
	m.layers, err = json.Marshal(layers)
	return m, err
}

// put pushes image n with a tag.
func (c *client) put(ctx context.Context, repository string, m *imageMaker, n int) error {
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":%s,"annotations":{"org.opencontainers.image.version":"1.0.%d"}}`, m.config, m.layers, n)
	return c.call(ctx, "PutImage", input{"repositoryName": repository, "imageManifest": manifest, "imageTag": fmt.Sprintf("1.0.%d", n)}, nil)
}
