//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// faultImages are a large image, whose push takes parts, and a small one.
type faultImages struct{ large, small *image }

// faultCases are the commands that meet faults.
func faultCases(images faultImages) []faultCase {
	gate := func(c *cell) string { return c.path("gate.yaml") }
	return []faultCase{
		{
			name:    "push",
			renew:   func(c *cell) error { return c.create(c.repo) },
			args:    func(c *cell) []string { return []string{"push", "oci:" + images.large.dir, c.reference()} },
			visible: func(c *cell) (bool, error) { return c.tagIs(c.repo, images.large) },
		},
		{
			name:  "push --upload v2",
			renew: func(c *cell) error { return c.create(c.repo) },
			args: func(c *cell) []string {
				return []string{"push", "--upload", "v2", "oci:" + images.small.dir, c.reference()}
			},
			visible: func(c *cell) (bool, error) { return c.tagIs(c.repo, images.small) },
		},
		{
			name: "push --sign --scan-gate",
			renew: func(c *cell) error {
				return errors.Join(c.create(c.repo), os.WriteFile(gate(c), []byte("version: 1\nblock:\n  - severity: CRITICAL\n"), 0o666))
			},
			args: func(c *cell) []string {
				return []string{"push", "oci:" + images.small.dir, c.reference(), "--sign", "alias/ecrkit-p256", "--scan-gate", gate(c), "--scan-timeout", "12m"}
			},
			visible: func(c *cell) (bool, error) { return c.tagIs(c.repo, images.small) },
		},
		pullFaults("pull to layout", "oci:%s:x", "dst", images.small, func(file string) (bool, error) {
			tags, err := tagsOf(layoutFiles(file))
			if err != nil || tags["x"] == "" {
				return false, err
			}
			return true, errors.Join(holds(layoutFiles(file), "x", images.small), noBadBlob(file))
		}),
		pullFaults("pull to oci-archive", "oci-archive:%s:x", "a.tar", images.small, func(file string) (bool, error) {
			read, err := tarFiles(file)
			if err != nil {
				return false, err
			}
			return true, holds(read, "x", images.small)
		}),
		pullFaults("pull to docker-archive", "docker-archive:%s:app:x", "a.tar", images.small, func(file string) (bool, error) {
			return true, dockerHolds(file, images.small)
		}),
		{
			name: "copy --referrers",
			renew: func(c *cell) error {
				if err := errors.Join(c.create(c.repo), c.create(c.repo+"/to"), c.putImage(c.repo, images.small)); err != nil {
					return err
				}
				return c.must("sign", c.reference(), "--key", "alias/ecrkit-p256")
			},
			args: func(c *cell) []string {
				return []string{"copy", "--referrers", c.reference(), c.site.image(c.repo+"/to", "x")}
			},
			visible: func(c *cell) (bool, error) { return c.tagIs(c.repo+"/to", images.small) },
		},
		{
			name:    "sign, KMS",
			renew:   func(c *cell) error { return errors.Join(c.create(c.repo), c.putImage(c.repo, images.small)) },
			args:    func(c *cell) []string { return []string{"sign", c.reference(), "--key", "alias/ecrkit-p256"} },
			visible: func(c *cell) (bool, error) { return c.signatures(images.small) },
		},
		{
			name:  "verify",
			reads: true,
			renew: func(c *cell) error {
				if err := errors.Join(c.create(c.repo), c.putImage(c.repo, images.small)); err != nil {
					return err
				}
				return c.must("sign", c.reference(), "--key", "alias/ecrkit-p256")
			},
			args:    func(c *cell) []string { return []string{"verify", c.reference(), "--key", "alias/ecrkit-p256"} },
			visible: func(c *cell) (bool, error) { return c.signatures(images.small) },
		},
		{
			name: "scan start",
			renew: func(c *cell) error {
				return errors.Join(c.create(c.repo), c.putImage(c.repo, images.small))
			},
			again:   "within the last 24 hours",
			args:    func(c *cell) []string { return []string{"scan", "start", c.reference()} },
			visible: func(c *cell) (bool, error) { return c.scanned() },
		},
		{
			name:    "scan wait",
			reads:   true,
			renew:   func(c *cell) error { return c.startScan(images.small) },
			args:    func(c *cell) []string { return []string{"scan", "wait", c.reference(), "--timeout", "12m"} },
			visible: func(c *cell) (bool, error) { return c.scanned() },
		},
		{
			name:  "scan gate",
			reads: true,
			renew: func(c *cell) error {
				return errors.Join(c.startScan(images.small), os.WriteFile(gate(c), []byte("version: 1\nblock:\n  - severity: CRITICAL\n"), 0o666))
			},
			args: func(c *cell) []string {
				return []string{"scan", "gate", c.reference(), "--policy", gate(c), "--timeout", "12m"}
			},
			visible: func(c *cell) (bool, error) { return c.scanned() },
		},
		{
			name: "lifecycle put",
			renew: func(c *cell) error {
				return errors.Join(c.create(c.repo), c.putImage(c.repo, images.small), os.WriteFile(c.path("policy.json"), []byte(lifecyclePolicy), 0o666))
			},
			args: func(c *cell) []string {
				return []string{"lifecycle", "put", c.server.Registry + "/" + c.repo, "--policy", c.path("policy.json"), "--yes"}
			},
			visible: func(c *cell) (bool, error) { return c.hasPolicy() },
		},
		{
			name:  "lifecycle preview",
			reads: true,
			renew: func(c *cell) error {
				return errors.Join(c.create(c.repo), c.putImage(c.repo, images.small), os.WriteFile(c.path("policy.json"), []byte(lifecyclePolicy), 0o666))
			},
			args: func(c *cell) []string {
				return []string{"lifecycle", "preview", c.server.Registry + "/" + c.repo, "--policy", c.path("policy.json")}
			},
			visible: func(c *cell) (bool, error) { return true, nil },
		},
		{
			name: "repo apply",
			renew: func(c *cell) error {
				return errors.Join(c.create(c.repo), os.WriteFile(c.path("state.yaml"), fmt.Appendf(nil, desiredState, c.repo, c.repo), 0o666))
			},
			args:    func(c *cell) []string { return []string{"repo", "apply", c.path("state.yaml")} },
			visible: func(c *cell) (bool, error) { return c.applied() },
		},
	}
}

const lifecyclePolicy = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":5},"action":{"type":"expire"}}]}`

const desiredState = `version: 1
defaults:
  tagMutability: IMMUTABLE
  resourceTags: {team: core}
repositories:
  - name: %s/new
  - name: %s
    policy:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Principal: {AWS: "111122223333"}
          Action: [ecr:BatchGetImage, ecr:GetDownloadUrlForLayer]
    lifecyclePolicy:
      rules:
        - rulePriority: 1
          selection: {tagStatus: untagged, countType: imageCountMoreThan, countNumber: 5}
          action: {type: expire}
`

// pullFaults is a pull into a file or directory in out.
func pullFaults(name, reference, file string, m *image, visible func(file string) (bool, error)) faultCase {
	return faultCase{
		name: name,
		renew: func(c *cell) error {
			c.names = []string{file}
			return errors.Join(c.create(c.repo), c.putImage(c.repo, m))
		},
		args: func(c *cell) []string {
			return []string{"pull", c.reference(), fmt.Sprintf(reference, c.path("out", file))}
		},
		visible: func(c *cell) (bool, error) {
			seen, err := visible(c.path("out", file))
			if errors.Is(err, fs.ErrNotExist) {
				return false, nil
			}
			return seen, err
		},
	}
}

// reference is the image that the command is about.
func (c *cell) reference() string { return c.site.image(c.repo, "x") }

// putImage stores an image as REPOSITORY:x without ecrkit.
func (st *site) putImage(repository string, m *image) error {
	index, err := layout.ImageIndexFromPath(m.dir)
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		return err
	}
	return st.server.PutImage(st.soak.ctx, repository, "x", img)
}

// tagIs reports whether the repository has the tag x; if it is not the image, whole, that is an error.
func (c *cell) tagIs(repository string, m *image) (bool, error) {
	d, err := c.tagged(repository, "x")
	if err != nil || d == "" {
		return false, err
	}
	return true, c.has(repository, "x", m)
}

// signatures reports whether the image has a signature; more than one are an error.
func (c *cell) signatures(m *image) (bool, error) {
	out, err := c.client.ListImageReferrers(c.soak.ctx, &ecr.ListImageReferrersInput{RepositoryName: &c.repo, SubjectId: &types.SubjectIdentifier{ImageDigest: aws.String(m.digest.String())}})
	if err != nil {
		return false, err
	}
	if len(out.Referrers) > 1 {
		err = fmt.Errorf("%s has %d signatures", m.digest, len(out.Referrers))
	}
	return len(out.Referrers) > 0, err
}

// startScan stores an image and has it scanned.
func (c *cell) startScan(m *image) error {
	if err := errors.Join(c.create(c.repo), c.putImage(c.repo, m)); err != nil {
		return err
	}
	_, err := c.client.StartImageScan(c.soak.ctx, &ecr.StartImageScanInput{RepositoryName: &c.repo, ImageId: &types.ImageIdentifier{ImageTag: aws.String("x")}})
	return err
}

func (c *cell) scanned() (bool, error) {
	out, err := c.client.DescribeImageScanFindings(c.soak.ctx, &ecr.DescribeImageScanFindingsInput{RepositoryName: &c.repo, ImageId: &types.ImageIdentifier{ImageTag: aws.String("x")}})
	var none *types.ScanNotFoundException
	if errors.As(err, &none) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return out.ImageScanStatus.Status == types.ScanStatusComplete, nil
}

func (c *cell) hasPolicy() (bool, error) {
	out, err := c.client.GetLifecyclePolicy(c.soak.ctx, &ecr.GetLifecyclePolicyInput{RepositoryName: &c.repo})
	var none *types.LifecyclePolicyNotFoundException
	if errors.As(err, &none) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var got, want any
	if err := errors.Join(json.Unmarshal([]byte(*out.LifecyclePolicyText), &got), json.Unmarshal([]byte(lifecyclePolicy), &want)); err != nil {
		return true, err
	}
	if !reflect.DeepEqual(got, want) {
		err = fmt.Errorf("the lifecycle policy of %s is %s", c.repo, *out.LifecyclePolicyText)
	}
	return true, err
}

// applied reports whether all of the desired state is there.
func (c *cell) applied() (bool, error) {
	out, err := c.client.DescribeRepositories(c.soak.ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{c.repo, c.repo + "/new"}})
	var none *types.RepositoryNotFoundException
	if errors.As(err, &none) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, r := range out.Repositories {
		if r.ImageTagMutability != types.ImageTagMutabilityImmutable {
			return false, nil
		}
	}
	_, err = c.client.GetRepositoryPolicy(c.soak.ctx, &ecr.GetRepositoryPolicyInput{RepositoryName: &c.repo})
	var noPolicy *types.RepositoryPolicyNotFoundException
	if errors.As(err, &noPolicy) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return c.hasPolicy()
}
