package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/ci"
	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const madeHelp = `In a pipeline: --digest-file writes the digest, --iidfile the ID of the image (the digest of its
config; of an index its digest), --metadata-file JSON with the keys of docker buildx
(containerimage.digest, containerimage.descriptor, image.name), --dotenv a report for GitLab with
ECRKIT_DIGEST, ECRKIT_IMAGE and ECRKIT_TAGS. In a job of GitHub Actions, or with --github, the
step gets the outputs digest, image (HOST/NAME@DIGEST) and tags, one a line, and a job summary.`

const arrivedHelp = madeHelp + `
These files are written after the image has arrived.`

// made is an image that a command has put somewhere, or found.
type made struct {
	references []ref.Reference // by which it can be found
	descriptor content.Descriptor
	config     digest.Digest // "" of an index
	copied     *transfer.Result
	gate       string // what the gate made of it
	signers    []string
}

// newMade returns a made with the descriptor of a manifest.
func newMade(references []ref.Reference, d digest.Digest, mediaType string, size int64) made {
	return made{references: references, descriptor: content.Descriptor{MediaType: mediaType, Digest: d, Size: size}}
}

// madeFrom is the image that r names, of which m was read.
func madeFrom(r ref.Reference, m content.Manifest) (made, error) {
	c, err := content.DecodeManifest(m.Content, m.Descriptor.MediaType)
	if err != nil {
		return made{}, fmt.Errorf("%s: %w", r, err)
	}
	found := newMade([]ref.Reference{r}, m.Descriptor.Digest, c.MediaType, m.Descriptor.Size)
	if c.Manifests == nil {
		found.config = c.Blobs[0].Digest
	}
	return found, nil
}

// image is the name of the image by its digest.
func (m made) image() string {
	r := m.references[0]
	if !r.IsRepository() {
		return r.String()
	}
	return r.Place() + "@" + string(m.descriptor.Digest)
}

// resultFiles are the files that a pipeline reads after a command.
type resultFiles struct {
	paths [4]string
}

// The flags of resultFiles.
const (
	digestFile = iota
	metadataFile
	imageIDFile
	dotenvFile
)

var resultFileFlags = [4]string{"digest-file", "metadata-file", "iidfile", "dotenv"}

func (f *resultFiles) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	for i, usage := range [4]string{
		"write the digest to `FILE`", "write JSON with the keys of docker buildx to `FILE`",
		"write the ID of the image to `FILE`", "write a dotenv report of GitLab to `FILE`",
	} {
		flags.StringVar(&f.paths[i], resultFileFlags[i], "", usage)
	}
}

// openResults are opened files; those that are not asked for are nil.
type openResults [4]*outputFile

// open opens the files, before the work begins: a path that cannot be written is found
// out then.
func (f *resultFiles) open(app *App) (openResults, error) {
	var o openResults
	if g := app.gitHub(); g != nil {
		if err := g.Check(); err != nil {
			return o, usagef("%w; give a container the files of the job, or use --github=false", err)
		}
	}
	for i, path := range f.paths {
		if path == "" {
			continue
		}
		if err := f.checkPath(i); err != nil {
			o.discard()
			return o, err
		}
		file, err := app.createOutput(path)
		if err != nil {
			o.discard()
			return o, usagef("--%s: %w", resultFileFlags[i], err)
		}
		o[i] = file
	}
	return o, nil
}

// checkPath refuses a path that has no file of its own.
func (f *resultFiles) checkPath(i int) error {
	path := f.paths[i]
	if path == ref.StandardStream {
		return usagef("--%s -: the result is on stdout already; name a file", resultFileFlags[i])
	}
	for j, other := range f.paths[:i] {
		if other != "" && filepath.Clean(other) == filepath.Clean(path) {
			return usagef("--%s and --%s name the same file, %s", resultFileFlags[j], resultFileFlags[i], path)
		}
	}
	return nil
}

func (o *openResults) discard() {
	for _, file := range o {
		if file != nil {
			file.discard()
		}
	}
}

// report writes the files, and what GitHub Actions reads, about what was made. The
// images of a command are one that has several names, unless it copies all tags.
func (app *App) report(title string, o openResults, all []made) error {
	defer o.discard()
	if len(all) == 0 {
		return nil
	}
	one := !slices.ContainsFunc(all, func(m made) bool { return m.descriptor.Digest != all[0].descriptor.Digest })
	var failures []error
	for i, file := range o {
		switch {
		case file == nil:
		case !one:
			failures = append(failures, fmt.Errorf("--%s: there are several images; use --output json", resultFileFlags[i]))
		default:
			if err := file.commit(resultFile(i, all)); err != nil {
				failures = append(failures, fmt.Errorf("--%s: %w", resultFileFlags[i], err))
			}
		}
	}
	if g := app.gitHub(); g != nil {
		failures = append(failures, setOutputs(g, all, one), g.AddSummary(summaryOf(title, all)))
	}
	return errors.Join(failures...)
}

// names are the references of all images.
func names(all []made) []string {
	var names []string
	for _, m := range all {
		for _, r := range m.references {
			names = append(names, r.String())
		}
	}
	return names
}

// resultFile is the content of a file about one image.
func resultFile(which int, all []made) []byte {
	m := all[0]
	switch which {
	case imageIDFile:
		return []byte(cmp.Or(m.config, m.descriptor.Digest))
	case dotenvFile:
		return ci.Dotenv([]ci.Variable{
			{Name: "ECRKIT_DIGEST", Value: string(m.descriptor.Digest)}, {Name: "ECRKIT_IMAGE", Value: m.image()},
			{Name: "ECRKIT_TAGS", Value: strings.Join(names(all), " ")},
		})
	case metadataFile:
		// As buildx: https://docs.docker.com/reference/cli/docker/buildx/build/#metadata-file
		data, _ := json.MarshalIndent(struct {
			Config     digest.Digest      `json:"containerimage.config.digest,omitempty"`
			Descriptor content.Descriptor `json:"containerimage.descriptor"`
			Digest     digest.Digest      `json:"containerimage.digest"`
			Name       string             `json:"image.name"`
		}{m.config, m.descriptor, m.descriptor.Digest, strings.Join(names(all), ",")}, "", "  ") // strings and numbers
		return append(data, '\n')
	}
	return []byte(string(m.descriptor.Digest) + "\n")
}

// madeOf is what the outcomes of a copy that arrived are.
func (t *trust) madeOf(outcomes []copyOutcome) []made {
	var all []made
	for _, o := range outcomes {
		if o.err != nil || o.result == nil {
			continue
		}
		m := newMade(o.references, o.result.Digest, o.result.MediaType, o.result.ManifestSize)
		m.config, m.copied = o.result.Config, o.result
		if o.Scan != nil {
			m.gate = string(o.Scan.Outcome)
		}
		if d := t.destinations[o.references[0].Place()]; d != nil && d.signer != nil && len(o.Signatures) > 0 {
			m.signers = []string{d.signer.Key.Name}
		} else if o.Verification != nil {
			m.signers = signerNames(*o.Verification)
		}
		all = append(all, m)
	}
	return all
}
