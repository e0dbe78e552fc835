package transfer

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/journal"
)

// remember notes which images have arrived, for the next push, and removes notes that
// are of no use any more. All of it is a hint: that it cannot be written is no failure
// of the copy.
func remember(g graph, all []*delivery, opts Options) {
	if opts.JournalDir == "" {
		return
	}
	_ = opts.uploadJournal().Sweep(opts.Now()) // what cannot be removed today can be tomorrow
	for _, t := range all {
		if _, ok := t.Target.(content.BlobUploader); ok {
			t.forgetUploads(g, opts)
		}
		if _, ok := t.Target.(content.ImageChecker); ok && t.arrived && opts.looksForPushed() {
			_ = opts.pushedJournal().Remember(t.pushedKey(), opts.Now())
		}
	}
}

// forgetUploads removes the notes of uploads of blobs that were already present: an
// earlier copy was killed between the end of the upload and that of its note.
func (t *delivery) forgetUploads(g graph, opts Options) {
	if t.missing == nil {
		return // it is not known what was present
	}
	for _, d := range g.Blobs {
		if !t.missing[d.Digest] {
			_ = opts.uploadJournal().Forget(uploadKey(t.Target, d)) // or it is swept later
		}
	}
}

// pushedKey names the image under its tags in the journal.
func (t *delivery) pushedKey() string {
	tags := slices.Sorted(slices.Values(t.Tags))
	return t.Target.String() + "@" + string(t.root.Descriptor.Digest) + ":" + strings.Join(tags, ",")
}

// looksForPushed reports whether a copy asks first for an image that has been pushed before. With what refers to it that would
// not be enough.
func (o *Options) looksForPushed() bool { return o.JournalDir != "" && !o.Referrers }

// uploadJournal is where uploads that have begun are noted; "" is nowhere.
func (o *Options) uploadJournal() journal.Dir { return o.journal("uploads") }

// pushedJournal is where images that have been pushed are noted; "" is nowhere.
func (o *Options) pushedJournal() journal.Dir { return o.journal("pushed") }

func (o *Options) journal(name string) journal.Dir {
	if o.JournalDir == "" {
		return ""
	}
	return journal.Dir(filepath.Join(o.JournalDir, name))
}
