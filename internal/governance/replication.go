package governance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/internal/strictyaml"
	"github.com/ecrkit/ecrkit/transfer/content"
)

// A ReplicationConfiguration says where Amazon ECR replicates images that are pushed. Its JSON and YAML are those of the aws
// CLI's --replication-configuration:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ReplicationConfiguration.html.
type ReplicationConfiguration struct {
	Rules []ReplicationRule `json:"rules" yaml:"rules"`
}

// A ReplicationRule replicates the repositories that one of its filters matches, or all without filters.
type ReplicationRule struct {
	Destinations []ReplicationDestination `json:"destinations" yaml:"destinations"`
	Filters      []ReplicationFilter      `json:"repositoryFilters,omitempty" yaml:"repositoryFilters,omitempty"`
}

// A ReplicationDestination is the registry of an account in a region.
type ReplicationDestination struct {
	Region  string `json:"region" yaml:"region"`
	Account string `json:"registryId" yaml:"registryId,omitempty"` // "" in a file is the registry's own
}

// String returns ACCOUNT/REGION.
func (d ReplicationDestination) String() string { return d.Account + "/" + d.Region }

// ParseDestination reads REGION, which is in the account of r, or ACCOUNT/REGION.
func ParseDestination(text string, r *Registry) (ReplicationDestination, error) {
	d := ReplicationDestination{Account: r.Account, Region: text}
	if account, region, ok := strings.Cut(text, "/"); ok {
		d = ReplicationDestination{Account: account, Region: region}
	}
	if !regionName.MatchString(d.Region) || !accountID.MatchString(d.Account) {
		return d, fmt.Errorf("destination %q must be REGION or ACCOUNT/REGION, such as eu-west-1 or 111122223333/eu-west-1", text)
	}
	return d, nil
}

// A ReplicationFilter is the beginning of the names of repositories.
type ReplicationFilter struct {
	Filter string `json:"filter" yaml:"filter"`
	Type   string `json:"filterType" yaml:"filterType,omitempty"` // PREFIX_MATCH, which is also what "" means
}

// The service quotas of Amazon ECR and the API reference of ReplicationRule and RepositoryFilter.
const (
	maxReplicationRules        = 10
	maxReplicationDestinations = 25 // different ones, in all rules
	maxReplicationFilters      = 100
)

var (
	replicationFilter = lazyregexp.New(`^(?:[a-z0-9]+(?:[._-][a-z0-9]*)*/)*[a-z0-9]*(?:[._-][a-z0-9]*)*$`)
	accountID         = lazyregexp.New(`^[0-9]{12}$`)
	regionName        = lazyregexp.New(`^[a-z]{2,}(?:-[a-z]+)+-[0-9]+$`)
)

// ParseReplicationConfiguration reads a configuration in YAML or JSON. Unknown keys are errors.
func ParseReplicationConfiguration(in io.Reader) (ReplicationConfiguration, error) {
	var c ReplicationConfiguration
	if err := strictyaml.Decode(in, &c); err != nil {
		if strings.Contains(err.Error(), `unknown field "replicationConfiguration"`) { // the answers of Amazon ECR have it
			err = fmt.Errorf("%w; write only what is in it", err)
		}
		return c, fmt.Errorf("replication configuration: %w", err)
	}
	if err := c.checkRules(); err != nil {
		return c, fmt.Errorf("replication configuration: %w", err)
	}
	return c, nil
}

// checkRules refuses a configuration without a list of rules: only an empty list ends replication.
func (c ReplicationConfiguration) checkRules() error {
	if c.Rules == nil {
		return errors.New("it has no rules; an empty list ends replication")
	}
	return nil
}

// Complete returns the configuration of the registry r in full: with its own account where no other is named, and with
// the type of each filter. What Amazon ECR would refuse is an error.
func (c ReplicationConfiguration) Complete(r *Registry) (ReplicationConfiguration, error) {
	if len(c.Rules) > maxReplicationRules {
		return c, fmt.Errorf("%d rules are more than %d", len(c.Rules), maxReplicationRules)
	}
	out := ReplicationConfiguration{Rules: []ReplicationRule{}}
	for i, rule := range c.Rules {
		full := ReplicationRule{Destinations: slices.Clone(rule.Destinations), Filters: slices.Clone(rule.Filters)}
		if err := full.complete(r); err != nil {
			return c, fmt.Errorf("rule %d: %w", i+1, err)
		}
		out.Rules = append(out.Rules, full)
	}
	if n := len(out.Destinations()); n > maxReplicationDestinations {
		return c, fmt.Errorf("%d destinations are more than %d", n, maxReplicationDestinations)
	}
	return out, nil
}

func (rule ReplicationRule) complete(r *Registry) error {
	switch {
	case len(rule.Destinations) == 0:
		return errors.New("it has no destinations")
	case len(rule.Filters) > maxReplicationFilters:
		return fmt.Errorf("%d filters are more than %d", len(rule.Filters), maxReplicationFilters)
	}
	for i := range rule.Destinations {
		d := &rule.Destinations[i]
		if d.Account == "" {
			d.Account = r.Account
		}
		switch {
		case !regionName.MatchString(d.Region):
			return fmt.Errorf("destination %d: %q is not a region", i+1, d.Region)
		case !accountID.MatchString(d.Account):
			return fmt.Errorf("destination %d: registryId %q is not an account of 12 digits (in YAML, quote it)", i+1, d.Account)
		case d.Account == r.Account && d.Region == r.Region:
			return fmt.Errorf("destination %d is the registry itself", i+1)
		}
	}
	for i := range rule.Filters {
		f := &rule.Filters[i]
		if f.Type == "" {
			f.Type = string(types.RepositoryFilterTypePrefixMatch)
		}
		switch {
		case f.Type != string(types.RepositoryFilterTypePrefixMatch):
			return fmt.Errorf("filter %q: filterType must be %s", f.Filter, types.RepositoryFilterTypePrefixMatch)
		case len(f.Filter) < 2 || len(f.Filter) > 256 || !replicationFilter.MatchString(f.Filter):
			return fmt.Errorf("filter %q must be the beginning of a name, of 2 to 256 characters; it has no wildcards", f.Filter)
		}
	}
	return nil
}

// Destinations returns the different destinations of all rules, in their order.
func (c ReplicationConfiguration) Destinations() (all []ReplicationDestination) {
	for _, rule := range c.Rules {
		for _, d := range rule.Destinations {
			if !slices.Contains(all, d) {
				all = append(all, d)
			}
		}
	}
	return all
}

// Equal reports whether both replicate the same. The order of rules, destinations and filters has no meaning.
func (c ReplicationConfiguration) Equal(other ReplicationConfiguration) bool {
	return slices.Equal(c.sorted(), other.sorted())
}

// sorted returns a text for each rule, the same for rules that mean the same.
func (c ReplicationConfiguration) sorted() (texts []string) {
	for _, rule := range c.Rules {
		destinations, filters := slices.Clone(rule.Destinations), slices.Clone(rule.Filters)
		slices.SortFunc(destinations, func(a, b ReplicationDestination) int { return cmp.Compare(a.String(), b.String()) })
		slices.SortFunc(filters, func(a, b ReplicationFilter) int { return cmp.Compare(a.Filter, b.Filter) })
		texts = append(texts, fmt.Sprint(destinations, filters))
	}
	slices.Sort(texts)
	return texts
}

const replicationObject = "replication configuration"

// ReplicationConfiguration reads the registry's; no rules mean that nothing is replicated. The error wraps
// [ErrOtherAccount].
func (r *Registry) ReplicationConfiguration(ctx context.Context) (ReplicationConfiguration, error) {
	c := ReplicationConfiguration{Rules: []ReplicationRule{}}
	out, err := r.api.DescribeRegistry(ctx, &ecr.DescribeRegistryInput{})
	if err != nil {
		return c, r.fail(replicationObject, "", err)
	}
	if err := r.checkOwner(out.RegistryId); err != nil {
		return c, err
	}
	if out.ReplicationConfiguration == nil {
		return c, fmt.Errorf("%s of %s: the answer has none", replicationObject, r.Registry)
	}
	for _, rule := range out.ReplicationConfiguration.Rules {
		var own ReplicationRule
		for _, d := range rule.Destinations {
			own.Destinations = append(own.Destinations, destinationOf(&d))
		}
		for _, f := range rule.RepositoryFilters {
			own.Filters = append(own.Filters, ReplicationFilter{Filter: aws.ToString(f.Filter), Type: string(f.FilterType)})
		}
		c.Rules = append(c.Rules, own)
	}
	return c, nil
}

func destinationOf(d *types.ReplicationDestination) ReplicationDestination {
	if d == nil {
		return ReplicationDestination{}
	}
	return ReplicationDestination{Region: aws.ToString(d.Region), Account: aws.ToString(d.RegistryId)}
}

// PutReplicationConfiguration replaces the registry's by a complete one; no rules end replication.
func (r *Registry) PutReplicationConfiguration(ctx context.Context, c ReplicationConfiguration) error {
	if err := r.checkAccount(ctx); err != nil {
		return err
	}
	sent := &types.ReplicationConfiguration{Rules: []types.ReplicationRule{}}
	for _, rule := range c.Rules {
		one := types.ReplicationRule{Destinations: []types.ReplicationDestination{}}
		for _, d := range rule.Destinations {
			one.Destinations = append(one.Destinations, types.ReplicationDestination{Region: aws.String(d.Region), RegistryId: aws.String(d.Account)})
		}
		for _, f := range rule.Filters {
			one.RepositoryFilters = append(one.RepositoryFilters, types.RepositoryFilter{Filter: aws.String(f.Filter), FilterType: types.RepositoryFilterType(f.Type)})
		}
		sent.Rules = append(sent.Rules, one)
	}
	if _, err := r.api.PutReplicationConfiguration(ctx, &ecr.PutReplicationConfigurationInput{ReplicationConfiguration: sent}); err != nil {
		return r.fail(replicationObject, "", err)
	}
	return nil
}

var (
	// ErrNotReplicated reports that an image did not arrive at a destination.
	ErrNotReplicated = errors.New("the image was not replicated")
	// ErrReplicationUnfinished reports that a replication was in progress when the time to wait was over.
	ErrReplicationUnfinished = errors.New("replication is still in progress")
)

// A ReplicationStatus is how far an image is on its way to a destination.
type ReplicationStatus struct {
	Destination ReplicationDestination `json:"destination"`
	Status      string                 `json:"status"` // IN_PROGRESS, COMPLETE or FAILED
	FailureCode string                 `json:"failureCode,omitempty"`
}

// ReplicationStatus reads how far an image of a repository is on its way, by destination. An image that no rule applied to
// when it was pushed has no destination.
func (r *Registry) ReplicationStatus(ctx context.Context, repository string, image content.ImageName) ([]ReplicationStatus, error) {
	id := &types.ImageIdentifier{}
	if image.Tag != "" {
		id.ImageTag = aws.String(image.Tag)
	}
	if image.Digest != "" {
		id.ImageDigest = aws.String(string(image.Digest))
	}
	out, err := r.api.DescribeImageReplicationStatus(ctx, &ecr.DescribeImageReplicationStatusInput{
		ImageId: id, RegistryId: aws.String(r.Account), RepositoryName: aws.String(repository),
	})
	var missing *types.ImageNotFoundException
	if errors.As(err, &missing) {
		return nil, &content.ImageNotFoundError{Place: r.Host + "/" + repository, Image: cmp.Or(image.Tag, string(image.Digest))}
	}
	if err != nil {
		return nil, r.fail(fmt.Sprintf("replication status of %s/%s%s", r.Host, repository, image), repository, err)
	}
	statuses := []ReplicationStatus{}
	for _, s := range out.ReplicationStatuses {
		statuses = append(statuses, ReplicationStatus{
			Destination: ReplicationDestination{Region: aws.ToString(s.Region), Account: aws.ToString(s.RegistryId)},
			Status:      string(s.Status), FailureCode: aws.ToString(s.FailureCode),
		})
	}
	return statuses, nil
}

// WaitReplicated looks at the replication of an image until it is in progress to no destination, or limit is over: then it
// returns what it saw last, and an error that wraps [ErrReplicationUnfinished].
func (r *Registry) WaitReplicated(ctx context.Context, repository string, image content.ImageName, limit time.Duration) (last []ReplicationStatus, err error) {
	done, err := await(ctx, limit, func(ctx context.Context) (bool, error) {
		statuses, err := r.ReplicationStatus(ctx, repository, image)
		if err != nil {
			return false, err
		}
		last = statuses
		return !slices.ContainsFunc(statuses, func(s ReplicationStatus) bool { return s.Status == string(types.ReplicationStatusInProgress) }), nil
	})
	if err == nil && !done {
		err = fmt.Errorf("%s/%s%s: %w after %v", r.Host, repository, image, ErrReplicationUnfinished, limit)
	}
	return last, err
}
