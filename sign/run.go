package sign

import (
	"bytes"
	"context"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer/content"
)

// atOnce is how many images are signed, and signatures written, at the same time.
const atOnce = 8

// job is one signature of one image on its way.
type job interface {
	// find looks for a signature that need not be made again.
	find(ctx context.Context) (found bool, err error)
	// make signs, in memory.
	make(ctx context.Context) error
	// blobs are to be stored before write.
	blobs() []blob
	// write stores the signature.
	write(ctx context.Context) error
	// appends reports whether write changes what a tag names.
	appends() bool
	// signed is the result, also of what was found.
	signed() *Signed
}

// blob is a small blob in memory.
type blob struct {
	content.Descriptor
	content []byte
}

func newBlob(mediaType string, data []byte) blob {
	return blob{content.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}, data}
}

// run does all jobs; root is the image whose signatures are written last. It returns
// the results of those that are done, in the order of the jobs.
func run(ctx context.Context, store Store, jobs []job, root digest.Digest, lockDir string) ([]Signed, error) {
	var images []digest.Digest
	for _, j := range jobs {
		images = append(images, j.signed().Digest)
	}
	unlock, err := lock(ctx, lockDir, store, images)
	if err != nil {
		return nil, err
	}
	defer unlock()
	done := map[job]bool{} // written by this goroutine only
	found := make([]bool, len(jobs))
	err = each(ctx, len(jobs), func(ctx context.Context, i int) (err error) {
		found[i], err = jobs[i].find(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	var due []job
	for i, j := range jobs {
		if j.signed().Existed = found[i]; j.signed().Existed {
			done[j] = true
		} else {
			due = append(due, j)
		}
	}
	if err = each(ctx, len(due), func(ctx context.Context, i int) error { return due[i].make(ctx) }); err != nil {
		return nil, err
	}
	err = putBlobs(ctx, store, due)
	for _, step := range steps(due, root) {
		if err != nil {
			break
		}
		written := make([]bool, len(step))
		err = each(ctx, len(step), func(ctx context.Context, i int) error {
			err := step[i].write(ctx)
			written[i] = err == nil
			return err
		})
		for i, j := range step {
			done[j] = written[i]
		}
	}
	var results []Signed
	for _, j := range jobs {
		if done[j] {
			results = append(results, *j.signed())
		}
	}
	return results, err
}

// steps puts jobs into the order in which they are written: first those that an
// immutable tag may refuse, so that nothing else is there if one does; and the
// images of an index before the index.
func steps(jobs []job, root digest.Digest) [4][]job {
	var steps [4][]job
	for _, j := range jobs {
		step := 0
		if !j.appends() {
			step = 2
		}
		if j.signed().Digest == root {
			step++
		}
		steps[step] = append(steps[step], j)
	}
	return steps
}

// putBlobs stores the missing blobs of all jobs, each once.
func putBlobs(ctx context.Context, store Store, jobs []job) error {
	contents := map[digest.Digest][]byte{}
	var all []content.Descriptor
	for _, j := range jobs {
		for _, b := range j.blobs() {
			if contents[b.Digest] == nil {
				contents[b.Digest] = b.content
				all = append(all, b.Descriptor)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	missing, err := store.MissingBlobs(ctx, all)
	if err != nil {
		return err
	}
	return each(ctx, len(missing), func(ctx context.Context, i int) error {
		return store.PutBlob(ctx, missing[i], bytes.NewReader(contents[missing[i].Digest]))
	})
}

// each calls do for 0 to n-1, several at once. The first error ends all.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}
