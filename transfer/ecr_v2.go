package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"github.com/ecrkit/ecrkit/auth"
)

// v2State is what a process has learned of a registry's /v2/.
type v2State struct {
	mu       sync.Mutex
	unusable bool
	mounts   map[string]*mountSource // by repository
}

// mountSource is a repository from which blobs may be mounted: whether the account
// allows it is known only from an answer.
type mountSource struct {
	turn    chan struct{} // is held by who asks while it is not known
	mu      sync.Mutex
	known   bool
	refused bool
}

// putV2 uploads or mounts a layer by the registry's /v2/, if that is how it goes
// there; if not, the caller does it by parts.
func (e *ECR) putV2(ctx context.Context, d Descriptor, content layerContent, how uploads) (done bool, err error) {
	if e.V2 == nil || e.v2.isUnusable() {
		return false, nil
	}
	whole := how.mode == UploadV2 || how.mode != UploadNative && d.Size <= defaultPartSize
	client := newV2Client(e.registry.Scheme(), e.registry.Host, e.V2)
	upload, asked, mounted, err := e.mount(ctx, client, d, how.from)
	switch {
	case mounted:
		how.mounted()
		return true, nil
	case err == nil && !whole:
		return false, nil
	case err == nil && !asked:
		upload, _, err = client.begin(ctx, e.repository, d.Digest, "")
	}
	if err == nil {
		err = client.putBlob(ctx, e.repository, d, content, how, upload)
		return true, e.failV2(d, err)
	}
	if how.mode != UploadV2 && mayGoNative(ctx, err) {
		e.v2.setUnusable()
		return false, nil
	}
	return true, e.failV2(d, err)
}

// mayGoNative tells whether the ECR API may do what /v2/ did not begin to do.
func mayGoNative(ctx context.Context, err error) bool {
	var refused *v2Error
	if errors.As(err, &refused) {
		return refused.code != "NAME_UNKNOWN"
	}
	return ctx.Err() == nil && !errors.Is(err, ErrIntegrity)
}

// failV2 makes the error of a request to /v2/ one that a user understands.
func (e *ECR) failV2(d Descriptor, err error) error {
	if err == nil {
		return nil
	}
	var refused *v2Error
	if errors.As(err, &refused) && refused.code == "NAME_UNKNOWN" {
		return &RepositoryNotFoundError{Registry: e.registry, Repository: e.repository}
	}
	var explained *auth.Error
	if errors.As(err, &explained) {
		err = explained
	}
	return fmt.Errorf("layer %s of repository %s: %w", d.Digest, e.repository, err)
}

// mount asks the registry to take a layer from another of its repositories. If it
// was asked and does not, upload is where the layer is to be sent.
func (e *ECR) mount(ctx context.Context, client *v2Client, d Descriptor, from Source) (upload *url.URL, asked, mounted bool, err error) {
	src, ok := from.(*ECR)
	if !ok || src.registry.Host != e.registry.Host || src.registry.Account != e.registry.Account || src.registry.Region != e.registry.Region || src.repository == e.repository {
		return nil, false, false, nil
	}
	source := e.v2.mountSource(src.repository)
	release, ok, err := source.ask(ctx)
	if err != nil || !ok {
		return nil, false, false, err
	}
	defer release()
	upload, mounted, err = client.begin(ctx, e.repository, d.Digest, src.repository)
	if err == nil {
		source.answered(mounted)
	}
	return upload, true, mounted, err
}

func (s *v2State) isUnusable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unusable
}

func (s *v2State) setUnusable() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unusable = true
}

func (s *v2State) mountSource(repository string) *mountSource {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mounts == nil {
		s.mounts = map[string]*mountSource{}
	}
	if s.mounts[repository] == nil {
		s.mounts[repository] = &mountSource{turn: make(chan struct{}, 1)}
	}
	return s.mounts[repository]
}

// ask tells whether to ask for a mount. As long as no answer is known, one asks
// and the others wait for what it hears.
func (m *mountSource) ask(ctx context.Context) (release func(), ok bool, err error) {
	if known, refused := m.state(); known {
		return func() {}, !refused, nil
	}
	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	release = func() { <-m.turn }
	if known, refused := m.state(); known {
		release()
		return func() {}, !refused, nil
	}
	return release, true, nil
}

func (m *mountSource) state() (known, refused bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known, m.refused
}

// answered notes an answer; one refusal is enough.
func (m *mountSource) answered(mounted bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known, m.refused = true, m.refused || !mounted
}
