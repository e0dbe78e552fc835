package ecr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"

	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/internal/layerpart"
	"github.com/ecrkit/ecrkit/transfer/internal/parts"
)

// UploadMode is how layers go to Amazon ECR.
type UploadMode string

const (
	// UploadAuto sends blobs of up to one part as UploadV2 and larger ones as
	// UploadNative; next to a registry that takes one connection as fast as a file is
	// read, it sends these as UploadV2, too.
	UploadAuto UploadMode = "auto"
	// UploadV2 sends each blob with one POST and one PUT to the registry's /v2/.
	UploadV2 UploadMode = "v2"
	// UploadNative sends the parts of a layer by the ECR API: a third more bytes,
	// over several connections, and a killed upload can be resumed.
	UploadNative UploadMode = "native"
	// UploadParts is UploadAuto without that exception: each layer of more than one part can be resumed.
	UploadParts UploadMode = "parts"
)

// upload is the upload of one layer by UploadLayerPart. Amazon ECR takes parts
// only one after the other: several are sent at once, the end of each being held
// back until the one before has arrived.
type upload struct {
	content.Upload
	e       *Repository
	d       content.Descriptor
	content content.PartReader
	entry   content.UploadNote // nil if there is no journal
	hash    *orderedHash       // nil if the content can be read again

	id       string
	partSize int64
	received int64 // bytes that Amazon ECR has
	before   int64 // bytes that it had from an earlier process
}

// UploadBlob uploads a layer, by the registry's /v2/ or by its parts as the mode
// says. Either becomes a layer only if Amazon ECR computes the same digest.
func (e *Repository) UploadBlob(ctx context.Context, d content.Descriptor, data content.PartReader, how content.Upload) (err error) {
	how = parts.Complete(how)
	object := "layer " + string(d.Digest)
	if d.Size == 0 {
		return fmt.Errorf("%s: %w: %s is empty, and Amazon ECR takes no empty layer; rebuild the image without it", e, content.ErrUnsupported, object)
	}
	if err := e.createAbsent(ctx); err != nil {
		return err
	}
	if done, err := e.putV2(ctx, d, data, how); done || err != nil {
		return err
	}
	u := &upload{Upload: how, e: e, d: d, content: data}
	if how.Note != nil {
		// That a hint cannot be written is no reason not to upload.
		u.entry, _ = how.Note()
	}
	defer func() { u.closeEntry(err) }()
	resumed, err := u.resume(ctx)
	if err == nil && !resumed {
		err = u.begin(ctx)
	}
	if err == nil {
		err = u.run(ctx)
	}
	if mayBeginAgain(err, resumed) {
		err = u.again(ctx)
	}
	var wrong *content.SourceError
	if err != nil && !errors.Is(err, content.ErrIntegrity) && !errors.As(err, &wrong) {
		err = e.fail(object, err)
	}
	return err
}

// mayBeginAgain reports whether an upload failed because Amazon ECR does not know
// it any more, or because it has other bytes from an earlier process than ours.
func mayBeginAgain(err error, resumed bool) bool {
	var (
		unknown  *types.UploadNotFoundException
		digest   *types.InvalidLayerException
		tooSmall *types.LayerPartTooSmallException
		empty    *types.EmptyUploadException
		order    *types.InvalidLayerPartException
	)
	return errors.As(err, &unknown) || resumed &&
		(errors.As(err, &digest) || errors.As(err, &tooSmall) || errors.As(err, &empty) || errors.As(err, &order))
}

// again uploads the layer again from its beginning, unless it exists: an
// answer to CompleteLayerUpload that got lost, or another process, leaves an
// upload that is not known any more.
func (u *upload) again(ctx context.Context) error {
	missing, err := u.e.MissingBlobs(ctx, []content.Descriptor{u.d})
	if err != nil || len(missing) == 0 {
		return err
	}
	u.Resumed(-u.before)
	u.Sent(u.before - u.received)
	u.before = 0
	if err := u.begin(ctx); err != nil {
		return err
	}
	return u.run(ctx)
}

// closeEntry removes the entry of the journal, or leaves it for a later process if
// that can resume from it.
func (u *upload) closeEntry(err error) {
	switch {
	case u.entry == nil:
	case err == nil, errors.Is(err, content.ErrIntegrity):
		_ = u.entry.Remove() // if this fails, it is swept later
	default:
		_ = u.entry.Close()
	}
}

// begin begins a new upload.
func (u *upload) begin(ctx context.Context) error {
	u.hash = newOrderedHash(u.d, u.content)
	out, err := creating(ctx, u.e, u.e.api.InitiateLayerUpload, &ecr.InitiateLayerUploadInput{
		RegistryId: &u.e.registry.Account, RepositoryName: &u.e.repository,
	})
	if err != nil {
		return err
	}
	u.id, u.received = aws.ToString(out.UploadId), 0
	u.partSize = partSize(aws.ToInt64(out.PartSize), u.d.Size)
	if u.entry != nil {
		_ = u.entry.Begin(u.id, u.partSize)
	}
	return nil
}

// resume continues the upload of an earlier process, if the journal knows one
// and Amazon ECR too: a part that lies far behind all others is refused, and the
// refusal says what has been received.
func (u *upload) resume(ctx context.Context) (bool, error) {
	if u.entry == nil {
		return false, nil
	}
	id, proposed, acknowledged := u.entry.Upload()
	if id == "" {
		return false, nil
	}
	u.hash = newOrderedHash(u.d, u.content)
	u.id = id
	u.partSize = partSize(proposed, u.d.Size)
	far := u.d.Size + 1<<40
	_, err := u.e.api.UploadLayerPart(ctx, &ecr.UploadLayerPartInput{
		RegistryId: &u.e.registry.Account, RepositoryName: &u.e.repository, UploadId: &u.id,
		PartFirstByte: &far, PartLastByte: &far, LayerPartBlob: []byte{0},
	})
	var order *types.InvalidLayerPartException
	if !errors.As(err, &order) {
		// What else it may be will show when a new upload begins.
		return false, ctx.Err()
	}
	received := acknowledged
	if order.LastValidByteReceived != nil {
		received = *order.LastValidByteReceived + 1
	}
	if received < 0 || received > u.d.Size {
		return false, nil
	}
	u.received, u.before = received, received
	u.Resumed(received)
	return true, nil
}

// maxStuck is how often in a row parts may be refused without that any arrives.
const maxStuck = 3

// run sends what Amazon ECR does not have and completes the upload.
func (u *upload) run(ctx context.Context) error {
	group, sending := errgroup.WithContext(ctx)
	if u.before > 0 {
		// What an earlier process sent may be right, and the file wrong since then.
		group.Go(func() error { return checkSource(sending, u.d, u.content) })
	}
	group.Go(func() error { return u.sendMissing(sending) })
	if err := group.Wait(); err != nil {
		return err
	}
	if err := u.hash.verify(u.d); err != nil {
		return &content.SourceError{Err: err}
	}
	return u.complete(ctx)
}

// sendMissing sends what Amazon ECR does not have, one part after the other when parts arrived in another order.
func (u *upload) sendMissing(ctx context.Context) error {
	connections, stuck := u.Connections, 0
	for u.received < u.d.Size {
		err := u.send(ctx, connections)
		if err == nil {
			break
		}
		var order *types.InvalidLayerPartException
		if !errors.As(err, &order) || order.LastValidByteReceived == nil {
			return err
		}
		received := *order.LastValidByteReceived + 1
		if stuck++; received > u.received {
			stuck = 0
		}
		if stuck == maxStuck || received < 0 || received > u.d.Size {
			return err
		}
		// The parts did not arrive in their order: continue one by one.
		u.received, connections = received, 1
	}
	return nil
}

// send sends all that is missing over some connections at once.
func (u *upload) send(ctx context.Context, connections int) error {
	group, ctx := errgroup.WithContext(ctx)
	lanes := make(chan struct{}, max(connections, 1))
	sections := make(chan *sentPart, cap(lanes))
	group.Go(func() error {
		for p := range sections { // to the last one, also after an error: each is to be given back
			if u.hash != nil {
				u.hash.add(ctx, p)
			}
			p.leave()
		}
		return nil
	})
	group.Go(func() error {
		defer close(sections)
		ready := make(chan struct{})
		close(ready)
		for first := u.received; first < u.d.Size; first += u.partSize {
			p := &sentPart{first: first, n: min(u.partSize, u.d.Size-first), loaded: make(chan struct{}), acknowledged: make(chan struct{})}
			select {
			case lanes <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := u.Slots.Acquire(ctx, 1); err != nil {
				return err
			}
			part, err := u.content.Part(ctx, p.first, p.n)
			if err != nil {
				u.Slots.Release(1)
				return err
			}
			p.Part = part
			p.users.Store(2)
			before := ready
			ready = p.acknowledged
			group.Go(func() error {
				defer p.leave()
				err := u.sendPart(ctx, p, before)
				u.Slots.Release(1)
				<-lanes
				return err
			})
			select {
			case sections <- p:
			case <-ctx.Done():
				p.leave()
				return ctx.Err()
			}
		}
		return nil
	})
	return group.Wait()
}

// sentPart is a part on its way.
type sentPart struct {
	content.Part
	users        atomic.Int32 // who sends it and who hashes it
	first, n     int64
	section      *io.SectionReader // once it is loaded
	loaded       chan struct{}
	acknowledged chan struct{}
}

// leave records that one of the users does not need the part any more. The last one
// frees its memory: before that, another part must not be read into it.
func (p *sentPart) leave() {
	if p.users.Add(-1) == 0 {
		if p.Release != nil {
			p.Release()
		}
	}
}

// sendPart loads a part and sends it; before is closed when the part before it has
// arrived.
func (u *upload) sendPart(ctx context.Context, p *sentPart, before <-chan struct{}) error {
	section, err := p.Load(ctx)
	if err != nil {
		return err
	}
	p.section = section
	close(p.loaded)
	if err := u.e.uploadPart(ctx, u.id, p, before, u.Sent); err != nil {
		return err
	}
	u.received = p.first + p.n // the parts are acknowledged one after the other
	if u.entry != nil {
		_ = u.entry.Acknowledge(u.received)
	}
	close(p.acknowledged)
	return nil
}

// uploadPart sends one part.
func (e *Repository) uploadPart(ctx context.Context, id string, p *sentPart, before <-chan struct{}, sent func(int64)) error {
	last := p.first + p.n - 1
	body, err := layerpart.NewBody(ctx, layerpart.Part{
		RegistryID: e.registry.Account, Repository: e.repository, UploadID: id, First: p.first, Last: last,
	}, io.NewSectionReader(p.section, 0, p.n), before, sent)
	if err != nil {
		return err
	}
	_, err = e.api.UploadLayerPart(ctx, &ecr.UploadLayerPartInput{
		RegistryId: &e.registry.Account, RepositoryName: &e.repository, UploadId: &id,
		PartFirstByte: &p.first, PartLastByte: &last, LayerPartBlob: []byte{},
	}, func(o *ecr.Options) {
		o.HTTPClient = e.parts
		o.APIOptions = append(o.APIOptions, withBody("LayerPartBody", body))
	})
	var invalid *types.InvalidLayerPartException
	if errors.As(err, &invalid) && aws.ToInt64(invalid.LastValidByteReceived) == last {
		return nil // it was retried because the first answer got lost
	}
	if err != nil {
		_, _ = body.Seek(0, io.SeekStart) // tells that nothing of it has arrived
	}
	return err
}

// complete makes the parts a layer.
func (u *upload) complete(ctx context.Context) error {
	out, err := u.e.api.CompleteLayerUpload(ctx, &ecr.CompleteLayerUploadInput{
		RegistryId: &u.e.registry.Account, RepositoryName: &u.e.repository, UploadId: &u.id,
		LayerDigests: []string{string(u.d.Digest)},
	})
	var (
		exists  *types.LayerAlreadyExistsException
		unknown *types.UploadNotFoundException
		digest  *types.InvalidLayerException
	)
	if errors.As(err, &exists) {
		return nil // another push was faster
	}
	if errors.As(err, &digest) {
		if err := checkSource(ctx, u.d, u.content); err != nil {
			return err
		}
	}
	if errors.As(err, &unknown) {
		// An upload that is complete is unknown: the first answer may have got lost.
		if missing, checkErr := u.e.MissingBlobs(ctx, []content.Descriptor{u.d}); checkErr == nil && len(missing) == 0 {
			return nil
		}
	}
	if err != nil {
		return err
	}
	if got := aws.ToString(out.LayerDigest); got != string(u.d.Digest) {
		return fmt.Errorf("%s: %w: layer %s was stored as %s", u.e, content.ErrIntegrity, u.d.Digest, got)
	}
	return nil
}

// hasBegun reports whether an earlier process has sent parts of a layer, which need
// not be retried.
func hasBegun(how content.Upload) bool {
	if how.Note == nil {
		return false
	}
	note, err := how.Note()
	if err != nil || note == nil {
		return false
	}
	id, _, _ := note.Upload()
	_ = note.Close() // a note that says nothing goes
	return id != ""
}
