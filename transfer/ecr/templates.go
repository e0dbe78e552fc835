package ecr

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

// Templates knows which repositories a registry may create when something is pushed. The templates are asked for once, when the
// first repository has to be created. The zero value is ready; it must not be copied.
type Templates struct {
	mu       sync.Mutex
	asked    bool
	unknown  bool     // it is not allowed to ask
	prefixes []string // of templates that create repositories on a push
}

// mayCreate reports whether a push may create a repository: a template says so, or nobody knows.
func (t *Templates) mayCreate(ctx context.Context, e *Repository) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.asked {
		err := t.read(ctx, e)
		if t.unknown = err != nil; t.unknown && !isDenied(err) {
			return true // it may pass
		}
		t.asked = true
	}
	return t.unknown || slices.ContainsFunc(t.prefixes, func(prefix string) bool { return matchesTemplate(prefix, e.repository) })
}

// read asks for the templates. Amazon ECR lists those of the caller's own registry: of another one nothing is known.
func (t *Templates) read(ctx context.Context, e *Repository) error {
	t.prefixes = nil
	pages := ecr.NewDescribeRepositoryCreationTemplatesPaginator(e.api, &ecr.DescribeRepositoryCreationTemplatesInput{},
		func(o *ecr.DescribeRepositoryCreationTemplatesPaginatorOptions) { o.StopOnDuplicateToken = true })
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		if aws.ToString(page.RegistryId) != e.registry.Account {
			t.prefixes = []string{rootTemplate}
			return nil
		}
		for _, template := range page.RepositoryCreationTemplates {
			if slices.Contains(template.AppliedFor, types.RCTAppliedForCreateOnPush) {
				t.prefixes = append(t.prefixes, aws.ToString(template.Prefix))
			}
		}
	}
	return nil
}

// rootTemplate is the prefix of the template for all repositories:
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html.
const rootTemplate = "ROOT"

// matchesTemplate reports whether a template may be that of a repository. The prefix prod is for repositories whose names begin
// with prod/; the slash may be part of it.
func matchesTemplate(prefix, repository string) bool {
	return prefix == rootTemplate || strings.HasPrefix(repository+"/", strings.TrimSuffix(prefix, "/")+"/")
}
