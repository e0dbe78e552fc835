package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/docker"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

const lsHelp = `List the repositories of a registry, or the images of a repository or file.

  ecrkit ls 123456789012.dkr.ecr.us-east-1.amazonaws.com
  ecrkit ls 123456789012.dkr.ecr.us-east-1.amazonaws.com/app
  ecrkit ls HOST/app --tag 'v1.*' --since 30d --sort size --limit 20
  ecrkit ls HOST/app --untagged --before 2026-01-31 --output json
  ecrkit ls oci:build

With several filters, an image must match all of them. --since and --before compare
the time when an image was pushed, and take an age (36h, 30d, 4w), a date or an
RFC 3339 time. --tag shows images with a tag of that pattern (* ? [a-z]), with all
their tags.

Text is sorted by --sort, by default pushed: pushed and pulled begin with the latest, size with the
largest, tag and name are alphabetical; --reverse reverses the order. JSON comes in the order of
the registry, page for page as it arrives, unless --sort is given. Archived images are not listed.
Of repositories in other registries only the tags are listed; HOST or HOST/ lists their
repositories, where the registry does.

Prints a table; with --output json one object, {"registry": HOST, "repositories":
[...]} or {"repository": HOST/NAME or FILE, "images": [...]}, with one entry a line:
of a repository name, host, arn, createdAt, tagMutability, mutabilityExclusions,
scanOnPush, encryption, kmsKey; of an image digest, tags, mediaType, artifactType,
subject, size (bytes), pushedAt, pulledAt, status. What is not known is left out.`

// lsFlags are the flags of `ecrkit ls`.
type lsFlags struct {
	tagged, untagged           bool
	tag, since, before, larger string
	sort                       string
	reverse                    bool
	limit                      int
}

// filters reports whether only some images are asked for.
func (f lsFlags) filters() bool {
	return f.tagged || f.untagged || f.tag != "" || f.since != "" || f.before != "" || f.larger != ""
}

func newLsCommand(app *App) *cobra.Command {
	var f lsFlags
	cmd := &cobra.Command{
		Use:     "ls REGISTRY|REPOSITORY",
		Aliases: []string{"list"},
		Short:   "List repositories and images",
		Long:    lsHelp,
		Args:    arguments(0, "REGISTRY|REPOSITORY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range []string{"tag", "since", "before", "larger-than", "sort"} {
				if flag := cmd.Flags().Lookup(name); flag.Changed && flag.Value.String() == "" {
					return usagef("--%s is empty; if it is from a variable, that is empty", name)
				}
			}
			return app.list(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.tagged, "tagged", false, "images with a tag")
	flags.BoolVar(&f.untagged, "untagged", false, "images without a tag")
	flags.StringVar(&f.tag, "tag", "", "images with a tag of this `pattern`")
	flags.StringVar(&f.since, "since", "", "images pushed since this `time`, or not longer ago than this age")
	flags.StringVar(&f.before, "before", "", "images pushed before this `time`, or longer ago than this age")
	flags.StringVar(&f.larger, "larger-than", "", "images of more than this `size`, such as 500MiB")
	flags.StringVar(&f.sort, "sort", "", "`order`: pushed, pulled, size, tag or name")
	flags.BoolVar(&f.reverse, "reverse", false, "turn the order around")
	numberVar(flags, &f.limit, "limit", 0, math.MaxInt32, "show at most `n`")
	return cmd
}

func (app *App) list(ctx context.Context, what string, f lsFlags) error {
	config, err := app.settings()
	if err != nil {
		return err
	}
	if err := ref.CheckUser(what); err != nil && ref.Detect(what) == "" {
		return usageError{err}
	}
	if host := strings.TrimSuffix(what, "/"); !strings.ContainsAny(host, "/@") {
		r, err := config.Registries.Parse(host)
		switch {
		case err == nil && r.Public:
			return usagef("%s: the repositories of ECR Public cannot be listed; name one of them", host)
		case err == nil:
			return app.listRepositories(ctx, r, "*", f)
		case !errors.Is(err, auth.ErrNotECR):
			return fmt.Errorf("%s: %w", host, err)
		}
	}
	r, err := app.parseReference(what)
	if host, ok := strings.CutSuffix(what, "/"); err != nil && !strings.ContainsAny(host, "/@") && (ok || namesHost(host)) {
		return app.listOther(ctx, host, f)
	}
	if err != nil {
		return err
	}
	if r.Name() != "" {
		return usagef("%s names one image, which `ecrkit inspect` shows; ls takes %s", what, r.Place())
	}
	return app.listImages(ctx, r, f)
}

// namesHost reports whether a word can only be a host: host:port, or a name with dots
// that is no file.
func namesHost(word string) bool {
	if _, err := os.Stat(word); err == nil {
		return false
	}
	name, port, ok := strings.Cut(word, ":")
	if _, err := strconv.ParseUint(port, 10, 16); ok && err != nil {
		return false
	}
	return strings.Contains(name, ".") && (ok || !strings.HasSuffix(name, ".tar")) || name == "localhost"
}

// listRepositories lists those whose name the pattern is about.
func (app *App) listRepositories(ctx context.Context, r auth.Registry, pattern string, f lsFlags) error {
	if f.sort == "" && app.Output == outputText {
		f.sort = "name"
	}
	order, err := repositoryOrder(f)
	if err != nil {
		return err
	}
	registry, err := app.governanceOf(ctx, r)
	if err != nil {
		return err
	}
	list := arrange(registry.Repositories(ctx, pattern), order, f.limit)
	if app.Output == outputJSON {
		return printList(app, "registry", r.Host, "repositories", list)
	}
	t := table{header: []string{"NAME", "CREATED", "TAGS", "SCAN", "ENCRYPTION"}}
	for repository, err := range list {
		if err != nil {
			return err
		}
		scan := "-"
		if repository.ScanOnPush {
			scan = "on push"
		}
		t.add(repository.Name, app.age(&repository.CreatedAt), strings.ToLower(strings.ReplaceAll(repository.TagMutability, "_", " ")), scan, repository.Encryption)
	}
	if len(t.rows) == 0 {
		app.Messagef("%s", noneOf("repositories", r.Host, pattern != "*"))
	}
	return t.print(app.Stdout, app.columns())
}

// listOther lists the repositories of a registry that is not Amazon ECR.
func (app *App) listOther(ctx context.Context, host string, f lsFlags) error {
	if _, err := repositoryOrder(f); err != nil {
		return err
	}
	if err := ref.CheckHost(host); err != nil {
		return usagef("host %w", err)
	}
	registry, err := app.openRegistry(ctx, ref.Reference{Kind: ref.KindRegistry, Host: host})
	if err != nil {
		return err
	}
	names, err := registry.Repositories(ctx) // sorted
	if err != nil {
		return err
	}
	if f.reverse {
		slices.Reverse(names)
	}
	type repository struct {
		Name string `json:"name"`
		Host string `json:"host"`
	}
	list := arrange(func(yield func(repository, error) bool) {
		for _, name := range names {
			if !yield(repository{name, host}, nil) {
				return
			}
		}
	}, nil, f.limit)
	if app.Output == outputJSON {
		return printList(app, "registry", host, "repositories", list)
	}
	t := table{header: []string{"NAME"}}
	for r := range list {
		t.add(r.Name)
	}
	if len(t.rows) == 0 {
		app.Messagef("%s", noneOf("repositories", host, false))
	}
	return t.print(app.Stdout, app.columns())
}

func (app *App) listImages(ctx context.Context, r ref.Reference, f lsFlags) error {
	if f.sort == "" && app.Output == outputText && r.Kind == ref.KindECR {
		f.sort = "pushed"
	}
	order, err := imageOrder(f)
	if err != nil {
		return err
	}
	filter, err := newImageFilter(f, app.Now())
	if err != nil {
		return err
	}
	source, closeSource, err := app.openSource(ctx, r)
	if err != nil {
		return err
	}
	defer closeSource()
	images, err := imagesOf(ctx, source, filter.status)
	if err != nil {
		return err
	}
	list := arrange(filter.apply(images), order, f.limit)
	if app.Output == outputJSON {
		return printList(app, "repository", r.Place(), "images", list)
	}
	columns := app.columns()
	t := table{header: []string{"DIGEST", "SIZE", "PUSHED", "PULLED", "TYPE", "TAGS"}, wrap: true}
	for image, err := range list {
		if err != nil {
			return err
		}
		t.add(showDigest(image.Digest, columns), showSize(image.Size), app.age(image.PushedAt), app.age(image.PulledAt), taggedKind(image.MediaType, image.ArtifactType, image.Tags), showTags(image.Tags))
	}
	if len(t.rows) == 0 {
		app.Messagef("%s", noneOf("images", r.Place(), f.filters()))
	}
	return t.print(app.Stdout, columns)
}

// noneOf is what a list without entries means. chosen reports whether only some were asked for.
func noneOf(what, place string, chosen bool) string {
	if chosen {
		return fmt.Sprintf("none of the %s in %s matches", what, place)
	}
	return fmt.Sprintf("%s has no %s", place, what)
}

// imagesOf lists the images of an endpoint, or, where they are not known, its
// tags.
func imagesOf(ctx context.Context, source content.Source, status content.TagFilter) (iter.Seq2[content.Image, error], error) {
	switch source := source.(type) {
	case content.ImageLister:
		return source.Images(ctx, status), nil
	case *docker.Archive:
		return onlyTags(status, func() ([]string, error) { return source.Names(), nil }), nil
	case content.TagLister:
		return onlyTags(status, func() ([]string, error) { return source.Tags(ctx) }), nil
	}
	return nil, usagef("%s: its images cannot be listed", source)
}

// onlyTags makes each tag an image of which nothing else is known.
func onlyTags(status content.TagFilter, list func() ([]string, error)) iter.Seq2[content.Image, error] {
	return func(yield func(content.Image, error) bool) {
		if status == content.UntaggedOnly {
			return
		}
		tags, err := list()
		if err != nil {
			yield(content.Image{}, err)
			return
		}
		for _, tag := range tags {
			if !yield(content.Image{Tags: []string{tag}}, nil) {
				return
			}
		}
	}
}

// printList writes the list as one JSON object, each entry as soon as it is known. An
// error after the first is a member of the object too.
func printList[T any](app *App, key, of, name string, list iter.Seq2[T, error]) error {
	w := app.Stdout
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	quoted, err := json.Marshal(of)
	if err != nil {
		return err
	}
	begin := fmt.Sprintf("{%q:%s,%q:[\n", key, quoted, name)
	separator := begin
	for entry, err := range list {
		if err != nil && separator == begin {
			return err
		}
		if err != nil {
			app.streamed = true
			broken, _ := json.Marshal(newFailure(of, err)) // strings only
			_, failed := fmt.Fprintf(w, "],\"error\":%s}\n", broken)
			return errors.Join(err, failed)
		}
		if _, err := io.WriteString(w, separator); err != nil {
			return err
		}
		separator = ","
		if err := encoder.Encode(entry); err != nil {
			return err
		}
	}
	if separator == begin {
		if _, err := io.WriteString(w, begin); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, "]}\n")
	return err
}
