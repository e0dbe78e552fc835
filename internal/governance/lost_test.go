package governance

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/scan"
	"github.com/ecrkit/ecrkit/transfer/content"
	ecrrepo "github.com/ecrkit/ecrkit/transfer/ecr"
)

// changes are all calls that change something and are refused when they are made twice.
func changes() map[string]func(ctx context.Context, g *governed) error {
	template := Template{Prefix: "team/", AppliedFor: []string{"CREATE_ON_PUSH"}, TagMutability: "IMMUTABLE", Encryption: "AES256"}
	rule := CacheRule{Prefix: "quay", Upstream: "quay.io"}
	return map[string]func(ctx context.Context, g *governed) error{
		"CreateRepository": func(ctx context.Context, g *governed) error {
			d, err := g.CreateRepository(ctx, "new", ecrrepo.Settings{ImmutableTags: true, ScanOnPush: true, Tags: map[string]string{"team": "core"}})
			if err == nil && d.Name != "new" {
				err = fmt.Errorf("%+v", d)
			}
			return err
		},
		"CreateRepositoryCreationTemplate": func(ctx context.Context, g *governed) error { return g.CreateTemplate(ctx, template) },
		"DeleteRepositoryCreationTemplate": func(ctx context.Context, g *governed) error {
			return errors.Join(g.CreateTemplate(ctx, template), g.DeleteTemplate(ctx, template.Prefix))
		},
		"CreatePullThroughCacheRule": func(ctx context.Context, g *governed) error { return g.CreateCacheRule(ctx, rule) },
		"DeletePullThroughCacheRule": func(ctx context.Context, g *governed) error {
			return errors.Join(g.CreateCacheRule(ctx, rule), g.DeleteCacheRule(ctx, rule.Prefix))
		},
		"DeleteRepository": func(ctx context.Context, g *governed) error { return g.DeleteRepository(ctx, "app", true) },
		"DeleteRepositoryPolicy": func(ctx context.Context, g *governed) error {
			const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}]}`
			g.check(g.PutRepositoryPolicy(ctx, "app", policy, false))
			_, err := g.DeleteRepositoryPolicy(ctx, "app")
			return err
		},
		"DeleteLifecyclePolicy": func(ctx context.Context, g *governed) error {
			g.check(g.PutLifecyclePolicy(ctx, "app", untaggedPolicy))
			_, err := g.DeleteLifecyclePolicy(ctx, "app")
			return err
		},
		"DeleteSigningConfiguration": func(ctx context.Context, g *governed) error {
			_, err := g.PutSigningConfiguration(ctx, rules(profiles+"prof team/*"))
			g.check(err)
			_, err = g.DeleteSigningConfiguration(ctx)
			return err
		},
		"StartImageScan": func(ctx context.Context, g *governed) error {
			status, err := g.StartScan(ctx, "app", g.empty["app"].Digest)
			if err == nil && status != scan.StatusInProgress && status != scan.StatusComplete && status != scan.StatusPending {
				err = fmt.Errorf("the status is %q", status)
			}
			return err
		},
		"StartLifecyclePolicyPreview": func(ctx context.Context, g *governed) error {
			_, _, err := g.LifecyclePreview(ctx, "app", untaggedPolicy, 10*time.Minute)
			return err
		},
		"BatchDeleteImage": func(ctx context.Context, g *governed) error {
			repository := ecrrepo.New(g.cfg, g.Registry.Registry, "app")
			deleted, err := repository.Delete(ctx, []content.ImageName{{Digest: g.empty["app"].Digest}})
			for _, f := range deleted.Failures {
				err = errors.Join(err, f)
			}
			return err
		},
	}
}

// TestLostAnswers has the answer to each call be lost that is refused when it is made
// twice.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for op, change := range changes() {
		for kind, fault := range map[string]localecr.Fault{
			"lost": {Op: op, ResetResponseAfter: new(int64)}, "short": {Op: op, ShortBody: new(int64)}, "stalled": {Op: op, Stall: 90 * time.Second},
		} {
			t.Run(op+" "+kind, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					g := newScanned(t, localecr.Options{PreviewTime: 20 * time.Second}, ScanBasic)
					g.empty["app"] = g.image("app", "a", "1")
					g.check(g.server.SetFaults(fault))
					before := g.calls.Count(op)
					if err := change(t.Context(), g); err != nil {
						t.Error(err)
					}
					if n := g.calls.Count(op) - before; n != 2 { // a third one would be waiting for the first
						t.Errorf("%d calls", n)
					}
				})
			})
		}
	}
}

// TestTakenMeanwhile has calls be refused because of what was there before, after a try that was not carried out: that is
// not taken for their own work.
func TestTakenMeanwhile(t *testing.T) {
	t.Parallel()
	for op, taken := range map[string]struct {
		before func(ctx context.Context, g *governed) error
		want   error
	}{
		"CreateRepository": {func(ctx context.Context, g *governed) error {
			_, err := g.CreateRepository(ctx, "new", ecrrepo.Settings{ScanOnPush: true, Tags: map[string]string{"team": "other"}})
			return err
		}, content.ErrConflict},
		"CreateRepositoryCreationTemplate": {func(ctx context.Context, g *governed) error {
			return g.CreateTemplate(ctx, Template{Prefix: "team/", AppliedFor: []string{"REPLICATION"}, TagMutability: "IMMUTABLE", Encryption: "AES256"})
		}, nil},
		"CreatePullThroughCacheRule": {func(ctx context.Context, g *governed) error {
			return g.CreateCacheRule(ctx, CacheRule{Prefix: "quay", Upstream: "public.ecr.aws"})
		}, nil},
		"StartImageScan": {func(ctx context.Context, g *governed) error {
			_, err := g.StartScan(ctx, "app", g.empty["app"].Digest)
			time.Sleep(time.Hour)
			return err
		}, ErrScannedToday},
	} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newScanned(t, localecr.Options{}, ScanBasic)
				g.empty["app"] = g.image("app", "a", "1")
				g.check(taken.before(t.Context(), g))
				g.check(g.server.SetFaults(localecr.Fault{Op: op, Status: 500}))
				if err := changes()[op](t.Context(), g); err == nil || !errors.Is(err, taken.want) && taken.want != nil {
					t.Error(err)
				}
			})
		})
	}
}
