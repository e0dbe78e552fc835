package cli

import (
	"errors"
	"reflect"
	"testing"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/transfer/ecr"
)

func TestCreateRepositoryFlags(t *testing.T) {
	for _, tt := range []struct {
		args  []string
		want  *ecr.Settings
		usage bool
	}{
		{nil, nil, false},
		{[]string{"--create-repository"}, &ecr.Settings{}, false},
		{
			[]string{"--create-repository", "--scan-on-push", "--immutable-tags", "--mutability-exclusion", "dev-*", "--encryption", "kms", "--repository-tag", "a=b"},
			&ecr.Settings{ScanOnPush: true, ImmutableTags: true, MutabilityExclusions: []string{"dev-*"}, Encryption: "KMS", Tags: map[string]string{"a": "b"}},
			false,
		},
		{[]string{"--scan-on-push"}, nil, true},
		{[]string{"--create-repository", "--encryption", "aes256", "--kms-key", "x"}, nil, true},
	} {
		cmd := &cobra.Command{}
		settings := addCreateRepositoryFlags(cmd)
		if err := cmd.ParseFlags(tt.args); err != nil {
			t.Fatal(err)
		}
		got, err := settings()
		var usage usageError
		if errors.As(err, &usage) != tt.usage {
			t.Errorf("%v: error %v", tt.args, err)
		}
		if got != nil && len(got.Tags) == 0 {
			got.Tags = nil
		}
		if got != nil && len(got.MutabilityExclusions) == 0 {
			got.MutabilityExclusions = nil
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%v: %+v, want %+v", tt.args, got, tt.want)
		}
	}
}
