package keys

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// defaultAliases is how many aliases a page has, maxAliases how many it may have.
const (
	defaultAliases = 50
	maxAliases     = 100
)

// ListAliases as in https://docs.aws.amazon.com/kms/latest/APIReference/API_ListAliases.html, in the order of their names.
// An alias whose key was not made yet has no TargetKeyId, as the predefined ones of AWS. Errors: *types.NotFoundException,
// *types.InvalidMarkerException, ValidationException.
func (s *Store) ListAliases(in *kms.ListAliasesInput) (*kms.ListAliasesOutput, error) {
	limit := int(aws.ToInt32(in.Limit))
	if in.Limit == nil {
		limit = defaultAliases
	}
	if limit < 1 || limit > maxAliases {
		return nil, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must be between 1 and %d", limit, maxAliases)
	}
	after, err := base64.RawURLEncoding.DecodeString(aws.ToString(in.Marker))
	if err != nil || in.Marker != nil && !strings.HasPrefix(string(after), "alias/") {
		return nil, &types.InvalidMarkerException{Message: aws.String("Could not deserialize token")}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reload(); err != nil {
		return nil, err
	}
	var only string
	if in.KeyId != nil {
		if strings.HasPrefix(*in.KeyId, "alias/") {
			return nil, notFound("Invalid keyId '%s'", *in.KeyId)
		}
		k, _, err := s.find(in.KeyId)
		if err != nil {
			return nil, err
		}
		only = k.id
	}
	targets, err := s.targets()
	if err != nil {
		return nil, err
	}
	out := &kms.ListAliasesOutput{Aliases: []types.AliasListEntry{}}
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		k := targets[name]
		if name <= string(after) || only != "" && (k == nil || k.id != only) {
			continue
		}
		if len(out.Aliases) == limit {
			last := *out.Aliases[limit-1].AliasName
			out.Truncated, out.NextMarker = true, aws.String(base64.RawURLEncoding.EncodeToString([]byte(last)))
			break
		}
		entry := types.AliasListEntry{AliasName: aws.String(name), AliasArn: aws.String(s.arn(name))}
		if k != nil {
			entry.TargetKeyId, entry.CreationDate, entry.LastUpdatedDate = aws.String(k.id), aws.Time(k.created), aws.Time(k.created)
		}
		out.Aliases = append(out.Aliases, entry)
	}
	return out, nil
}

// targets returns the keys of all aliases; nil for a key that was not made yet. Aliases are deleted with their key.
func (s *Store) targets() (map[string]*key, error) {
	made, err := s.aliases()
	if err != nil {
		return nil, err
	}
	targets := map[string]*key{}
	for _, kind := range kinds {
		targets["alias/"+kind.alias] = s.keys[kind.alias]
	}
	for _, k := range s.keys {
		for name, id := range made {
			if id == k.id {
				targets[name] = k
			}
		}
	}
	for name, k := range targets {
		if k == nil {
			continue
		}
		state, err := s.state(k)
		if err != nil {
			return nil, err
		}
		if state.gone(s.now()) {
			delete(targets, name)
		}
	}
	return targets, nil
}
