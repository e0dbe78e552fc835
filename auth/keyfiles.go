package auth

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ecrkit/ecrkit/internal/tokenfile"
)

// keyFilesMemory is for how long access keys of a file are used before the file is looked at again.
const keyFilesMemory = 10 * time.Second

// keyFiles are credentials that come from access keys in files. The SDK reads such keys once; tools that log people in
// write new ones there every hour, while a mirror or a proxy runs.
type keyFiles struct {
	aws     AWS
	planned func(context.Context) (TokenPlan, error)

	mu       sync.Mutex
	looked   time.Time // at the files
	plan     TokenPlan
	state    tokenfile.Snapshot
	provider *credentialProvider
}

// renewed returns provider, or one that reads its files again if the plan's credentials begin with access keys in a file.
// planned makes the plan again.
func (a AWS) renewed(plan TokenPlan, planned func(context.Context) (TokenPlan, error), provider *credentialProvider) aws.CredentialsProvider {
	if plan.Source.base != KindStatic || plan.Source.Profile == "" || a.options().Credentials != nil {
		return provider
	}
	state, err := tokenfile.Snap(plan.Files)
	if err != nil {
		return provider
	}
	return &keyFiles{aws: a, planned: planned, looked: a.now(), plan: plan, state: state, provider: provider}
}

// Retrieve returns the credentials of the files as they are, or were a few seconds ago.
func (k *keyFiles) Retrieve(ctx context.Context) (aws.Credentials, error) {
	return k.current(ctx).Retrieve(ctx)
}

// ProviderSources is [aws.CredentialProviderSource].
func (k *keyFiles) ProviderSources() []aws.CredentialSource {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.provider.ProviderSources()
}

func (k *keyFiles) current(ctx context.Context) *credentialProvider {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.aws.now()
	if now.Sub(k.looked) < keyFilesMemory && !now.Before(k.looked) {
		return k.provider
	}
	k.looked = now
	state, err := tokenfile.Snap(k.plan.Files)
	if err != nil || state.Equal(k.state) {
		return k.provider
	}
	// A file that is only half written, or has another source of credentials now, changes nothing.
	plan, err := k.planned(ctx)
	if err != nil || !plan.Source.sameWay(k.plan.Source) {
		return k.provider
	}
	cfg, drift, err := k.aws.configure(ctx, plan)
	if err != nil || drift {
		return k.provider
	}
	k.plan, k.state, k.provider = plan, state, k.aws.credentials(plan, cfg, 0)
	return k.provider
}

// sameWay reports whether credentials are obtained in the same steps, whatever keys they begin with.
func (r CredentialSource) sameWay(other CredentialSource) bool {
	return r.Kind == other.Kind && r.base == other.base && r.Profile == other.Profile && slices.Equal(r.Steps, other.Steps)
}
