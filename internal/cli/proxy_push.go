package cli

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/ecrkit/ecrkit/proxy"
	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// proxyBeforeTag returns what is done to an image that a client has pushed before its tag is
// set: what `ecrkit push` does. It is signed, and then verified, as the policy says.
func proxyBeforeTag(rules *proxyRules, log *slog.Logger) func(ctx context.Context, host, repository string, dst content.Target, image content.Manifest) error {
	return func(ctx context.Context, host, repository string, dst content.Target, image content.Manifest) error {
		policy := rules.set().policy
		if policy == nil {
			return nil
		}
		place, err := rules.parse(host + "/" + repository)
		if err != nil {
			return err
		}
		var flags trustFlags
		options, err := flags.options(rules.app)
		if err != nil {
			return err
		}
		o, err := flags.outlet(ctx, rules.app.keysFor(place), policy, place, options)
		if err != nil || o == nil {
			return err
		}
		r := &trustResult{trust: &trust{app: rules.app}, signed: map[content.Target][]sign.Signed{}}
		err = r.publish(ctx, dst, o, image)
		for _, note := range r.notes {
			log.Warn("pushed", "image", fmt.Sprintf("%s@%s", place, image.Descriptor.Digest), "note", note)
		}
		if isRefusal(err) {
			err = fmt.Errorf("%w %s: %w", proxy.ErrRefused, policy.path, err)
		}
		return err
	}
}
