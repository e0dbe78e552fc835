//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// signCases sign one image after the other, in a repository and in a layout.
func signCases() []killCase {
	var last, now digest.Digest
	var key string
	signs := func(name, format string, signer func() string) killCase {
		return killCase{
			name: name,
			prepare: func(k *killing) (err error) {
				last, now = "", ""
				if key, err = k.keyPair(); err != nil {
					return err
				}
				if err := k.makeImages(); err != nil {
					return err
				}
				return k.must(append([]string{"push", "oci:" + k.old.dir, k.image("app", "x")}, quiet...)...)
			},
			renew: func(k *killing) (err error) {
				last = now
				now, err = k.variant(k.n)
				return err
			},
			args: func(k *killing) []string {
				return []string{"sign", k.image("app", fmt.Sprint(k.n)), "--key", signer(), "--format", format}
			},
			held: func(k *killing, acknowledged bool) error {
				if acknowledged {
					if err := k.signedOnce(now, format); err != nil {
						return err
					}
				}
				if last == "" {
					return nil
				}
				return k.signedOnce(last, format)
			},
			done: func(k *killing) error {
				if err := k.signedOnce(now, format); err != nil {
					return err
				}
				for _, f := range []string{"bundle", "legacy"} {
					if f == format || format == "both" {
						if err := k.must("verify", k.image("app", fmt.Sprint(k.n)), "--key", verifierOf(signer(), key), "--format", f); err != nil {
							return err
						}
					}
				}
				return nil
			},
		}
	}
	return []killCase{
		signs("sign, key in a file", "bundle", func() string { return key + ".key" }),
		signs("sign, KMS, both formats", "both", func() string { return "alias/ecrkit-p256" }),
		layoutSignCase(),
	}
}

// verifierOf is the key that verifies what signer has signed.
func verifierOf(signer, key string) string {
	if signer == key+".key" {
		return key + ".pub"
	}
	return signer
}

// variant puts another manifest with the blobs of the old image, under the tag n.
func (k *killing) variant(n int) (digest.Digest, error) {
	data, err := os.ReadFile(k.old.dir + "/blobs/sha256/" + k.old.digest.Encoded())
	if err != nil {
		return "", err
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return "", err
	}
	m.Annotations = map[string]string{"n": fmt.Sprint(n)}
	if data, err = json.Marshal(m); err != nil {
		return "", err
	}
	_, err = k.client.PutImage(k.soak.ctx, &ecr.PutImageInput{RepositoryName: aws.String("app"), ImageManifest: aws.String(string(data)),
		ImageManifestMediaType: aws.String(ocispec.MediaTypeImageManifest), ImageTag: aws.String(fmt.Sprint(n))})
	return digest.FromBytes(data), err
}

// signedOnce returns an error unless the image has one signature of each kind that the format means.
func (k *killing) signedOnce(image digest.Digest, format string) error {
	if format != "legacy" {
		out, err := k.client.ListImageReferrers(k.soak.ctx, &ecr.ListImageReferrersInput{RepositoryName: aws.String("app"), SubjectId: &types.SubjectIdentifier{ImageDigest: aws.String(image.String())}})
		if err != nil {
			return err
		}
		if len(out.Referrers) != 1 {
			return fmt.Errorf("%s has %d referrers, not 1", image, len(out.Referrers))
		}
	}
	if format != "bundle" {
		d, err := k.tagged("app", "sha256-"+image.Encoded()+".sig")
		if err != nil {
			return err
		}
		if d == "" {
			return fmt.Errorf("%s has no legacy signature", image)
		}
	}
	return nil
}

// layoutSignCase signs the image of a layout.
func layoutSignCase() killCase {
	dst := func(k *killing) string { return k.path("out", "dst") }
	var key string
	return killCase{
		name: "sign in a layout",
		prepare: func(k *killing) (err error) {
			if key, err = k.keyPair(); err != nil {
				return err
			}
			return k.makeImages()
		},
		renew: func(k *killing) error {
			if err := os.RemoveAll(dst(k)); err != nil {
				return err
			}
			return k.must(append([]string{"copy", "oci:" + k.old.dir, "oci:" + dst(k) + ":x"}, quiet...)...)
		},
		args: func(k *killing) []string { return []string{"sign", "oci:" + dst(k) + ":x", "--key", key + ".key"} },
		held: func(k *killing, acknowledged bool) error {
			if err := noBadBlob(dst(k)); err != nil {
				return err
			}
			if acknowledged {
				if err := k.must("verify", "oci:"+dst(k)+":x", "--key", key+".pub"); err != nil {
					return err
				}
			}
			return holds(layoutFiles(dst(k)), "x", k.old)
		},
		done: func(k *killing) error {
			tags, err := layoutFiles(dst(k))(ocispec.ImageIndexFile)
			if err != nil {
				return err
			}
			var index ocispec.Index
			if err := json.Unmarshal(tags, &index); err != nil {
				return err
			}
			if len(index.Manifests) != 2 {
				return fmt.Errorf("index.json has %d entries, not an image and its signature", len(index.Manifests))
			}
			return k.must("verify", "oci:"+dst(k)+":x", "--key", key+".pub")
		},
		left: func(k *killing) []string { return k.leftovers("dst") },
	}
}
