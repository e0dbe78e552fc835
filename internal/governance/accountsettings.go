package governance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/ecrkit/ecrkit/internal/nearest"
)

// accountSettings are those that Amazon ECR has, with their values:
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutAccountSetting.html.
var accountSettings = map[string][]string{
	"BASIC_SCAN_TYPE_VERSION": {"AWS_NATIVE"},
	"BLOB_MOUNTING":           {"ENABLED", "DISABLED"},
	"REGISTRY_POLICY_SCOPE":   {"V2"},
}

// AccountSettingNames are the names of the settings, sorted.
func AccountSettingNames() []string { return slices.Sorted(maps.Keys(accountSettings)) }

// CheckAccountSetting reports whether Amazon ECR has such a setting with such a value.
func CheckAccountSetting(name, value string) error {
	values, ok := accountSettings[name]
	switch {
	case !ok:
		return errors.New("account setting " + nearest.NotOneOf(name, AccountSettingNames()))
	case !slices.Contains(values, value):
		return fmt.Errorf("account setting %s: value %s", name, nearest.NotOneOf(value, values))
	}
	return nil
}

// AccountSettings reads the settings of the registry's account and region.
func (r *Registry) AccountSettings(ctx context.Context) (map[string]string, error) {
	if err := r.checkAccount(ctx); err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, name := range AccountSettingNames() {
		out, err := r.api.GetAccountSetting(ctx, &ecr.GetAccountSettingInput{Name: aws.String(name)})
		if err != nil {
			return nil, r.fail("account setting "+name, "", err)
		}
		all[name] = aws.ToString(out.Value)
	}
	return all, nil
}

// PutAccountSetting changes one.
func (r *Registry) PutAccountSetting(ctx context.Context, name, value string) error {
	if err := CheckAccountSetting(name, value); err != nil {
		return err
	}
	if err := r.checkAccount(ctx); err != nil {
		return err
	}
	if _, err := r.api.PutAccountSetting(ctx, &ecr.PutAccountSettingInput{Name: aws.String(name), Value: aws.String(value)}); err != nil {
		return r.fail("account setting "+name, "", err)
	}
	return nil
}
