package cli

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const treeHelp = `Show what is attached to an image: signatures, attestations, bills of materials.

  ecrkit tree 123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1.2
  ecrkit tree HOST/app:1.2 --key release.pub --key alias/next
  ecrkit tree oci:app:1.2 --output json

Shows the image, of an index its images, and at each what refers to it, what refers
to that, and the tags sha256-....sig and sha256-....att that older tools keep
signatures under; signatures of Notation, as Amazon ECR's managed signing makes
them, too. What is shown is not verified, but for the keys that --key names: what
they have signed is marked. Of others the fingerprint is shown that a bundle names,
which anyone can write there. ` + "`ecrkit verify`" + ` reports whether the image is signed.

` + keyHelp + `

Prints a tree, or with --output json one object: reference and, of the image,
digest, mediaType, artifactType, subject, platform, attests, missing, images (the same for each
image of an index) and attachments. Each attachment has: kind (signature, attestation, sbom,
notation, other), format, digest, mediaType, artifactType, size, tag, annotations,
contents (digest, size, predicateType, key, certificate, problem), problem, signedBy
(names of the keys given) and attachments (to it). What is not known is left out.`

const (
	// maxTree bounds how many manifests are shown.
	maxTree = 1000
	// treeAtOnce is for how many manifests it is asked at once what is attached.
	treeAtOnce = 8
)

// treeImage is an image in what tree prints.
type treeImage struct {
	Digest       digest.Digest    `json:"digest"`
	MediaType    string           `json:"mediaType"`
	ArtifactType string           `json:"artifactType,omitempty"`
	Subject      digest.Digest    `json:"subject,omitempty"`
	Platform     string           `json:"platform,omitempty"`
	Attests      digest.Digest    `json:"attests,omitempty"` // of BuildKit's attestations: the image
	Missing      bool             `json:"missing,omitempty"`
	Images       []*treeImage     `json:"images,omitempty"`
	Attachments  []treeAttachment `json:"attachments"`
}

// treeAttachment is what is attached to an image, or to another attachment.
type treeAttachment struct {
	sign.Attachment
	SignedBy    []string         `json:"signedBy,omitempty"` // names of the keys given
	Attachments []treeAttachment `json:"attachments,omitempty"`
}

func newTreeCommand(app *App) *cobra.Command {
	var keyNames []string
	cmd := &cobra.Command{
		Use:   "tree REF",
		Short: "Show what is attached to an image, and who signed it",
		Long:  treeHelp,
		Args:  arguments(0, "REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.tree(cmd.Context(), args[0], keyNames)
		},
	}
	cmd.Flags().StringArrayVar(&keyNames, "key", nil, "mark what this `KEY` has signed; may be repeated")
	return cmd
}

func (app *App) tree(ctx context.Context, name string, keyNames []string) error {
	r, err := app.parseReference(name)
	if err != nil {
		return err
	}
	r = withLatest(r)
	loaded, err := app.keysFor(r).publicKeys(ctx, keyNames)
	if err != nil {
		return err
	}
	source, closeSource, err := app.openSource(ctx, r)
	if err != nil {
		return err
	}
	defer closeSource()
	signed, ok := source.(sign.Source)
	if !ok {
		return usagef("%s: nothing is attached to images there; name a repository, HOST/REPOSITORY:TAG, or an OCI layout, oci:DIRECTORY:TAG", r)
	}
	root, err := transfer.ReadManifest(ctx, source, r.Name(), nil)
	if err != nil {
		return err
	}
	reader := &treeReader{src: signed, keys: loaded}
	image, err := reader.image(ctx, root)
	if err != nil {
		return err
	}
	return app.PrintResult(struct {
		Reference string `json:"reference"`
		*treeImage
	}{name, image}, app.treeText(r, image))
}

// treeReader finds what is attached to manifests.
type treeReader struct {
	src  sign.Source
	keys []*sign.Key

	mu   sync.Mutex
	seen map[digest.Digest]bool
}

// enter reports whether a manifest is new; too many are an error.
func (t *treeReader) enter(d digest.Digest) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen[d] {
		return false, nil
	}
	if len(t.seen) == maxTree {
		return false, fmt.Errorf("%s: %w: more than %d manifests are attached to the image; ask for those of one of them by its digest", t.src, content.ErrUnsupported, maxTree)
	}
	if t.seen == nil {
		t.seen = map[digest.Digest]bool{}
	}
	t.seen[d] = true
	return true, nil
}

// image finds what is attached to an image, and to those of an index.
func (t *treeReader) image(ctx context.Context, m content.Manifest) (*treeImage, error) {
	in, err := transfer.Inspect(ctx, t.src, m)
	if err != nil {
		return nil, err
	}
	image := &treeImage{Digest: in.Digest, MediaType: in.MediaType, ArtifactType: in.ArtifactType}
	if in.Subject != nil {
		image.Subject = in.Subject.Digest
	}
	if _, err := t.enter(in.Digest); err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(treeAtOnce)
	group.Go(func() (err error) {
		image.Attachments, err = t.attachments(ctx, m)
		return err
	})
	if len(in.Images) == 1 && in.Images[0].Digest == in.Digest {
		image.Platform = in.Images[0].Platform
		return image, group.Wait()
	}
	image.Images = make([]*treeImage, len(in.Images))
	for i, entry := range in.Images {
		group.Go(func() (err error) {
			image.Images[i], err = t.child(ctx, entry)
			return err
		})
	}
	return image, group.Wait()
}

// child is an entry of an index. What is attached to one that was there before is
// shown there.
func (t *treeReader) child(ctx context.Context, entry transfer.InspectedImage) (*treeImage, error) {
	image := &treeImage{
		Digest: entry.Digest, MediaType: entry.MediaType, ArtifactType: entry.ArtifactType, Platform: entry.Platform,
		Attests: entry.Attests, Missing: entry.Missing, Attachments: []treeAttachment{},
	}
	fresh, err := t.enter(entry.Digest)
	if err != nil || !fresh || entry.Missing {
		return image, err
	}
	if kindOf(entry.MediaType, "") == "index" {
		m, err := transfer.ReadManifest(ctx, t.src, string(entry.Digest), nil)
		if err != nil {
			return nil, err
		}
		return t.image(ctx, m)
	}
	image.Attachments, err = t.attachments(ctx, content.Manifest{Descriptor: content.Descriptor{MediaType: entry.MediaType, Digest: entry.Digest, Size: entry.ManifestSize}})
	return image, err
}

// attachments finds what is attached to a manifest, and to that.
func (t *treeReader) attachments(ctx context.Context, m content.Manifest) ([]treeAttachment, error) {
	listed, err := sign.List(ctx, t.src, m)
	if err != nil {
		return nil, err
	}
	signers, err := t.signers(ctx, m, len(listed))
	if err != nil {
		return nil, err
	}
	found := make([]treeAttachment, len(listed))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(treeAtOnce)
	for i, a := range listed {
		found[i] = treeAttachment{Attachment: a, SignedBy: signers[a.Digest]}
		if a.Digest == "" {
			continue
		}
		group.Go(func() error {
			fresh, err := t.enter(a.Digest)
			if err == nil && fresh {
				found[i].Attachments, err = t.attachments(ctx, content.Manifest{Descriptor: content.Descriptor{MediaType: a.MediaType, Digest: a.Digest, Size: a.Size}})
			}
			return err
		})
	}
	return found, group.Wait()
}

// signers reports which of the keys made what is attached to a manifest: their names
// by the digest of the attachment.
func (t *treeReader) signers(ctx context.Context, m content.Manifest, attachments int) (map[digest.Digest][]string, error) {
	if len(t.keys) == 0 || attachments == 0 {
		return nil, nil
	}
	if m.Content == nil {
		var err error
		if m, err = transfer.ReadManifest(ctx, t.src, string(m.Descriptor.Digest), nil); err != nil {
			return nil, err
		}
	}
	v, err := sign.Verify(ctx, t.src, m, sign.Requirements{Keys: t.keys})
	if err != nil && !isRefusal(err) && !lacksSignature(err) {
		return nil, err
	}
	names := map[digest.Digest][]string{}
	for _, s := range slices.Concat(v.Signatures, v.Attestations) {
		if !slices.Contains(names[s.Manifest], s.Key) {
			names[s.Manifest] = append(names[s.Manifest], s.Key)
		}
	}
	return names, nil
}
