package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// Source of the pattern and the lengths: API reference of RegistryScanningRule, ScanningRepositoryFilter
// and BatchGetRepositoryScanningConfiguration.
var scanningFilterPattern = lazyregexp.New(`^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$`)

const (
	maxScanningRules        = 2
	maxScanningFilters      = 100 // of a rule
	maxScanningFilter       = 255 // characters
	maxScanningRepositories = 25
)

// keyScanning is where a registry has its scanningConfiguration.
var keyScanning = []byte("scanningConfiguration")

// scanningConfiguration describes which images of a registry are scanned, and how.
type scanningConfiguration struct {
	ScanType types.ScanType               `json:"scanType"`
	Rules    []types.RegistryScanningRule `json:"rules"`
	Since    time.Time                    `json:"since,omitzero"` // when the scan type was set
}

// scanning returns the registry's, by default basic scanning without rules.
func (r *Registry) scanning(tx *bolt.Tx) (*scanningConfiguration, error) {
	c := &scanningConfiguration{ScanType: types.ScanTypeBasic, Rules: []types.RegistryScanningRule{}}
	b, err := r.bucket(tx)
	if err != nil || b == nil {
		return c, err
	}
	_, err = getJSON(b, keyScanning, c)
	return c, err
}

func (c *scanningConfiguration) enhanced() bool { return c.ScanType == types.ScanTypeEnhanced }

func (c *scanningConfiguration) output() *types.RegistryScanningConfiguration {
	return &types.RegistryScanningConfiguration{ScanType: c.ScanType, Rules: c.Rules}
}

// frequency reports when images of a repository are scanned, and by which filters. The repository's own
// setting, which is deprecated, counts with basic scanning only.
func (c *scanningConfiguration) frequency(rec *repositoryRecord) (types.ScanFrequency, []types.ScanningRepositoryFilter) {
	best, filters := types.ScanFrequencyManual, []types.ScanningRepositoryFilter{}
	rank := []types.ScanFrequency{types.ScanFrequencyManual, types.ScanFrequencyScanOnPush, types.ScanFrequencyContinuousScan}
	for _, rule := range c.Rules {
		for _, f := range rule.RepositoryFilters {
			if !matchScanningFilter(aws.ToString(f.Filter), rec.Name) {
				continue
			}
			switch slices.Index(rank, rule.ScanFrequency) - slices.Index(rank, best) {
			case 0:
				filters = append(filters, f)
			case 1, 2:
				best, filters = rule.ScanFrequency, []types.ScanningRepositoryFilter{f}
			}
		}
	}
	if best == types.ScanFrequencyManual && rec.ScanOnPush && !c.enhanced() {
		best = types.ScanFrequencyScanOnPush
	}
	return best, filters
}

// matchScanningFilter reports whether a filter is about a repository. "A filter with no wildcard matches
// all repository names that contain the filter" (user guide, filters for image scanning).
func matchScanningFilter(filter, repository string) bool {
	if !strings.Contains(filter, "*") {
		return strings.Contains(repository, filter)
	}
	return matchWildcard(filter, repository)
}

// PutRegistryScanningConfiguration sets how the registry's images are scanned. Without a scan type it
// stays as it is. Errors: InvalidParameter.
func (r *Registry) PutRegistryScanningConfiguration(_ context.Context, in *ecr.PutRegistryScanningConfigurationInput) (*ecr.PutRegistryScanningConfigurationOutput, error) {
	var c *scanningConfiguration
	err := r.store.db.Update(func(tx *bolt.Tx) (err error) {
		if c, err = r.scanning(tx); err != nil {
			return err
		}
		if in.ScanType != "" && in.ScanType != c.ScanType {
			c.ScanType, c.Since = in.ScanType, r.now()
		}
		if err := checkScanning(c.ScanType, in.Rules); err != nil {
			return err
		}
		c.Rules = append([]types.RegistryScanningRule{}, in.Rules...)
		b, err := r.bucket(tx)
		if err != nil {
			return err
		}
		return putJSON(b, keyScanning, c)
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutRegistryScanningConfigurationOutput{RegistryScanningConfiguration: c.output()}, nil
}

func checkScanning(scanType types.ScanType, rules []types.RegistryScanningRule) error {
	if !slices.Contains(scanType.Values(), scanType) {
		return invalidParameter("scanType", "must be one of %v", scanType.Values())
	}
	if len(rules) > maxScanningRules {
		return invalidParameter("rules", "must have a length between 0 and %d", maxScanningRules)
	}
	frequencies := []types.ScanFrequency{types.ScanFrequencyScanOnPush, types.ScanFrequencyManual}
	if scanType == types.ScanTypeEnhanced {
		frequencies = []types.ScanFrequency{types.ScanFrequencyScanOnPush, types.ScanFrequencyContinuousScan}
	}
	for i, rule := range rules {
		member := fmt.Sprintf("rules.%d.member", i+1)
		switch {
		case !slices.Contains(frequencies, rule.ScanFrequency):
			return invalidParameter(member+".scanFrequency", "must be one of %v with scanType %s", frequencies, scanType)
		case rule.RepositoryFilters == nil:
			return invalidParameter(member+".repositoryFilters", "must not be null")
		case len(rule.RepositoryFilters) > maxScanningFilters:
			return invalidParameter(member+".repositoryFilters", "must have a length between 0 and %d", maxScanningFilters)
		}
		for j, f := range rule.RepositoryFilters {
			member, text := fmt.Sprintf("%s.repositoryFilters.%d.member", member, j+1), aws.ToString(f.Filter)
			switch {
			case f.FilterType != types.ScanningRepositoryFilterTypeWildcard:
				return invalidParameter(member+".filterType", "must be one of %v", f.FilterType.Values())
			case len(text) < 1 || len(text) > maxScanningFilter:
				return invalidParameter(member+".filter", "must have a length between 1 and %d", maxScanningFilter)
			case !scanningFilterPattern.MatchString(text):
				return invalidParameter(member+".filter", "must satisfy regular expression '%s'", scanningFilterPattern)
			}
		}
	}
	return nil
}

// GetRegistryScanningConfiguration shows how the registry's images are scanned.
func (r *Registry) GetRegistryScanningConfiguration(context.Context, *ecr.GetRegistryScanningConfigurationInput) (*ecr.GetRegistryScanningConfigurationOutput, error) {
	var c *scanningConfiguration
	err := r.store.db.View(func(tx *bolt.Tx) (err error) {
		c, err = r.scanning(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ecr.GetRegistryScanningConfigurationOutput{RegistryId: aws.String(r.account), ScanningConfiguration: c.output()}, nil
}

// BatchGetRepositoryScanningConfiguration shows when images of repositories are scanned. A repository
// that is missing is a failure in the output. Errors: InvalidParameter.
func (r *Registry) BatchGetRepositoryScanningConfiguration(_ context.Context, in *ecr.BatchGetRepositoryScanningConfigurationInput) (*ecr.BatchGetRepositoryScanningConfigurationOutput, error) {
	if n := len(in.RepositoryNames); n < 1 || n > maxScanningRepositories {
		return nil, invalidParameter("repositoryNames", "must have a length between 1 and %d", maxScanningRepositories)
	}
	out := &ecr.BatchGetRepositoryScanningConfigurationOutput{
		Failures: []types.RepositoryScanningConfigurationFailure{}, ScanningConfigurations: []types.RepositoryScanningConfiguration{},
	}
	err := r.store.db.View(func(tx *bolt.Tx) error {
		c, err := r.scanning(tx)
		if err != nil {
			return err
		}
		for _, name := range in.RepositoryNames {
			if _, err := checkRepositoryName(&name); err != nil {
				return err
			}
			repo, err := r.repository(tx, name)
			if ignoreNoRepository(err) != nil {
				return err
			}
			if err != nil {
				out.Failures = append(out.Failures, types.RepositoryScanningConfigurationFailure{
					FailureCode: types.ScanningConfigurationFailureCodeRepositoryNotFound, FailureReason: aws.String("REPOSITORY_NOT_FOUND"), RepositoryName: aws.String(name),
				})
				continue
			}
			frequency, filters := c.frequency(&repo.record)
			out.ScanningConfigurations = append(out.ScanningConfigurations, types.RepositoryScanningConfiguration{
				AppliedScanFilters: filters, RepositoryArn: aws.String(r.repositoryARN(name)), RepositoryName: aws.String(name),
				ScanFrequency: frequency, ScanOnPush: frequency == types.ScanFrequencyScanOnPush,
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
