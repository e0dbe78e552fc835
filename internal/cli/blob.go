package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

func newBlobCommand(app *App) *cobra.Command {
	return newGroup("blob", "Fetch single layers and configs", blobHelp, newBlobFetchCommand(app))
}

const blobHelp = `Fetch single layers and configs.

  ecrkit blob fetch HOST/app@sha256:0123... --to layer.tar.gz

ecrkit inspect shows the digests of the layers and the config of an image.`

const blobFetchHelp = `Fetch one layer or config.

  ecrkit blob fetch 123456789012.dkr.ecr.eu-west-1.amazonaws.com/app@sha256:012... --to l.tar.gz
  ecrkit blob fetch HOST/app@sha256:0123... | tar -tz
  ecrkit blob fetch oci:build@sha256:0123... --to config.json --output json

REF is a repository or a file with images; ecrkit inspect shows the digests of what is
in an image. A manifest is not a blob: ecrkit inspect --raw prints it.

A blob is fetched over several connections. Into a FILE, a run that was interrupted is resumed.
FILE appears when the blob is complete and checked; a FILE that has this content already is left
alone. To stdout the bytes come in order. If the digest does not match, the command ends with exit
code 4: the bytes that were written must not be used.

With --to FILE prints DIGEST and FILE, or with --output json one object: reference,
digest, size, file, outcome (sent, resumed or skipped).`

// fetchedBlob is the JSON form of the result of blob fetch.
type fetchedBlob struct {
	Reference string          `json:"reference"`
	Digest    digest.Digest   `json:"digest"`
	Size      int64           `json:"size"`
	File      string          `json:"file"`
	Outcome   content.Outcome `json:"outcome"`
}

func newBlobFetchCommand(app *App) *cobra.Command {
	var to string
	var connections int
	cmd := &cobra.Command{
		Use:   "fetch REF@DIGEST",
		Short: "Fetch one layer or config",
		Long:  blobFetchHelp,
		Args:  arguments(0, "REF@DIGEST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.fetchBlob(cmd.Context(), args[0], to, connections)
		},
	}
	cmd.Flags().StringVar(&to, "to", ref.StandardStream, "`file` to write, - for stdout")
	numberVar(cmd.Flags(), &connections, "connections", 1, maxConnections, "connections to fetch it over (default 8)")
	addProgressFlag(cmd, app)
	return cmd
}

func (app *App) fetchBlob(ctx context.Context, name, to string, connections int) error {
	r, err := app.parseReference(name)
	if err != nil {
		return err
	}
	toStdout := to == ref.StandardStream
	switch {
	case r.Digest == "":
		return usagef("%s names no blob; write %s@sha256:...", name, r.Place())
	case to == "":
		return usagef("--to names no file")
	case toStdout && app.columns() > 0:
		return usagef("a blob is not written to a terminal; use --to FILE")
	case toStdout && app.Output == outputJSON:
		return usagef("with --output json the blob cannot go to stdout; use --to FILE")
	}
	if err := checkFileName(to); err != nil {
		return err
	}
	config, err := app.settings()
	if err != nil {
		return err
	}
	source, closeSource, err := app.openSource(ctx, r)
	if err != nil {
		return err
	}
	defer closeSource()
	statter, ok := source.(content.BlobStatter)
	if !ok {
		return usagef("%s: its blobs cannot be fetched by digest", source)
	}
	blob, err := statter.StatBlob(ctx, r.Digest)
	if err != nil {
		return err
	}
	progress, err := app.newProgress()
	if err != nil {
		return err
	}
	options := transfer.Options{Connections: cmp.Or(connections, config.Transfer.Connections), Progress: releasing(progress.Handle)}
	if toStdout {
		app.streamed = true
		err := transfer.StreamBlob(ctx, source, blob, app.streamedStdout(), options)
		progress.Close()
		return err
	}
	outcome, err := transfer.FetchBlob(ctx, source, blob, to, options)
	progress.Close()
	if err != nil {
		return err
	}
	app.Messagef("%s %s", map[content.Outcome]string{
		content.OutcomeSent: "fetched", content.OutcomeResumed: "fetched the rest of", content.OutcomeSkipped: "had already",
	}[outcome], humanize.IBytes(uint64(blob.Size)))
	return app.PrintResult(fetchedBlob{r.String(), blob.Digest, blob.Size, to, outcome}, fmt.Sprintf("%s  %s\n", blob.Digest, to))
}
