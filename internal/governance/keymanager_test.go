package governance

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/ecrkit/ecrkit/localecr"
)

func TestWhoseKeyItIs(t *testing.T) {
	r, ctx := open(t, localecr.Options{}, "000000000000"), context.Background()
	keys := &keyManagers{registry: r}
	for key, want := range map[string]string{
		"": "", "alias/ecrkit-symmetric": KeyOfCustomer, "alias/nothing": "",
		"alias/aws/ecr": KeyOfAWS, "arn:aws:kms:us-east-1:000000000000:alias/aws/ecr": KeyOfAWS,
	} {
		for range 2 { // the second time it is known
			if got := keys.manager(ctx, key); got != want {
				t.Errorf("%q is managed by %q, not %q", key, got, want)
			}
		}
	}
}

func TestSameKey(t *testing.T) {
	r, ctx := open(t, localecr.Options{}, "000000000000"), context.Background()
	out, err := r.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("alias/ecrkit-symmetric")})
	if err != nil {
		t.Fatal(err)
	}
	arn, id := *out.KeyMetadata.Arn, *out.KeyMetadata.KeyId
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"alias/ecrkit-symmetric", arn, true}, {id, arn, true}, {"alias/ecrkit-symmetric", id, true}, {"alias/nothing", "alias/nothing", true},
		{"alias/ecrkit-encrypt", arn, false}, {"alias/nothing", arn, false}, {"alias/ecrkit-symmetric", "", false}, {"alias/nothing", "", false},
	} {
		if got := r.sameKey(ctx, c.a, c.b); got != c.want {
			t.Errorf("%q and %q are the same: %v", c.a, c.b, got)
		}
	}
}
