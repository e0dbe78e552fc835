package governance

import (
	"context"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// Who manages a KMS key.
const (
	KeyOfAWS      = "AWS"
	KeyOfCustomer = "CUSTOMER"
)

// defaultKeyAlias is that of the key which AWS KMS manages for Amazon ECR.
const defaultKeyAlias = "alias/aws/ecr"

// keyManagers finds out who manages keys, once for each. It may be used from several
// goroutines.
type keyManagers struct {
	registry *Registry
	mu       sync.Mutex
	known    map[string]string
}

// manager returns "" if there is no key, or if AWS KMS does not tell, which wants
// kms:DescribeKey.
func (k *keyManagers) manager(ctx context.Context, key string) string {
	switch {
	case key == "":
		return ""
	case strings.HasSuffix(key, defaultKeyAlias):
		return KeyOfAWS
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if manager, ok := k.known[key]; ok {
		return manager
	}
	manager := ""
	out, err := k.registry.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(key)})
	if err == nil && out.KeyMetadata != nil {
		manager = string(out.KeyMetadata.KeyManager)
	}
	if k.known == nil {
		k.known = map[string]string{}
	}
	k.known[key] = manager
	return manager
}

// sameKey reports whether two names are of one KMS key: Amazon ECR keeps its ARN, and people
// write aliases. What AWS KMS does not tell is not the same.
func (r *Registry) sameKey(ctx context.Context, a, b string) bool {
	if a == b {
		return true
	}
	arn := func(key string) string {
		out, err := r.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(key)})
		if err != nil || out.KeyMetadata == nil {
			return ""
		}
		return aws.ToString(out.KeyMetadata.Arn)
	}
	first := arn(a)
	return first != "" && b != "" && (first == b || first == arn(b))
}
