package localecr

import (
	"cmp"
	"fmt"
	"net"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/localecr/internal/identity"
	"github.com/ecrkit/ecrkit/localecr/internal/policy"
)

// A permission is what a call needs.
type permission struct {
	account    string // whose registry
	action     string // such as ecr:PutImage
	repository string // "" for the registry, "*" for all repositories
	// tags and tagKeys are those that the call sets or removes.
	tags    []types.Tag
	tagKeys []string
}

// resource returns the ARN as policies have it. Source: service authorization reference, Amazon ECR.
func (p permission) resource(region string) string {
	if p.repository == "" {
		return "*"
	}
	return fmt.Sprintf("arn:aws:ecr:%s:%s:repository/%s", region, p.account, p.repository)
}

// authorize checks that the caller has a permission. Unless policies are evaluated, everyone may do everything in their own
// account, and nothing in another.
func (x *exchange) authorize(p permission) error {
	ids := x.server.identities()
	if !ids.PoliciesEvaluated() {
		if p.account != x.principal.Account {
			p.repository = cmp.Or(p.repository, x.call.Repository)
			return x.accessDenied(p.action, fmt.Sprintf("arn:aws:ecr:%s:%s:repository/%s", x.region, p.account, p.repository))
		}
		return nil
	}
	theirs, err := x.server.store.Registry(p.account, x.region).Policies(x.r.Context(), p.repository)
	if err != nil {
		return err
	}
	if p.action == "ecr:GetAuthorizationToken" {
		theirs.Documents = nil // the token is for all registries
	}
	request := policy.Request{Principal: x.principal.ARN, Action: p.action, Resource: p.resource(x.region), Context: x.conditionKeys(p, theirs.Tags)}
	verdict := policy.Authorize(request, p.account == x.principal.Account, ids.Policies(x.principal), theirs.Documents)
	if !verdict.Allowed {
		return x.notAuthorized(p.action, request.Resource, verdict.Reason)
	}
	return nil
}

// conditionKeys are the condition keys of a call, in lower case. Source: service authorization reference, Amazon ECR; IAM
// user guide, global condition context keys.
func (x *exchange) conditionKeys(p permission, resourceTags map[string]string) map[string][]string {
	now, caller := x.server.clock.Now().UTC(), x.principal
	keys := map[string][]string{
		"aws:currenttime":           {now.Format(time.RFC3339)},
		"aws:epochtime":             {strconv.FormatInt(now.Unix(), 10)},
		"aws:principalaccount":      {caller.Account},
		"aws:principalarn":          {caller.ARN},
		"aws:principalisawsservice": {"false"},
		"aws:principaltype":         {caller.Type},
		"aws:requestedregion":       {x.region},
		"aws:resourceaccount":       {p.account},
		"aws:securetransport":       {strconv.FormatBool(x.r.TLS != nil)},
		"aws:userid":                {caller.UserID},
		"aws:viaawsservice":         {"false"},
	}
	if host, _, err := net.SplitHostPort(x.r.RemoteAddr); err == nil {
		keys["aws:sourceip"] = []string{host}
	}
	if agent := x.r.UserAgent(); agent != "" {
		keys["aws:useragent"] = []string{agent}
	}
	if role := policy.RoleOf(caller.ARN); role != "" {
		keys["aws:principalarn"] = []string{role}
	}
	if caller.Type == identity.IAMUser {
		keys["aws:principaltype"] = []string{"User"}
		_, name, _ := strings.Cut(caller.ARN, ":user/")
		keys["aws:username"] = []string{name}
	}
	for key, value := range resourceTags {
		keys["aws:resourcetag/"+strings.ToLower(key)] = []string{value}
		keys["ecr:resourcetag/"+strings.ToLower(key)] = []string{value}
	}
	tagKeys := p.tagKeys
	for _, t := range p.tags {
		keys["aws:requesttag/"+strings.ToLower(aws.ToString(t.Key))] = []string{aws.ToString(t.Value)}
		tagKeys = append(tagKeys, aws.ToString(t.Key))
	}
	if len(tagKeys) > 0 {
		keys["aws:tagkeys"] = tagKeys
	}
	return keys
}

// authorizeInput checks that the caller may do an operation of the AWS API with its input.
func (x *exchange) authorizeInput(in any) error {
	p := permission{account: cmp.Or(stringMember(in, "RegistryId"), x.principal.Account), action: "ecr:" + x.call.Op}
	p.tags, p.tagKeys = member[[]types.Tag](in, "Tags"), member[[]string](in, "TagKeys")
	for _, name := range repositoriesOf(in) {
		p.repository = name
		if err := x.authorize(p); err != nil {
			return err
		}
	}
	if create, ok := in.(*ecr.CreateRepositoryInput); ok && len(create.Tags) > 0 {
		p.action = "ecr:TagResource"
		if err := x.authorize(p); err != nil {
			return err
		}
	}
	x.account = p.account
	return nil
}

// repositoriesOf returns the repositories that an input names: "*" for all of them, "" for an operation on the registry.
func repositoriesOf(in any) []string {
	if all, ok := in.(*ecr.DescribeRepositoriesInput); ok && len(all.RepositoryNames) == 0 {
		return []string{"*"}
	}
	if names := member[[]string](in, "RepositoryNames"); len(names) > 0 {
		return names
	}
	name := stringMember(in, "RepositoryName")
	if _, ofARN, ok := strings.Cut(stringMember(in, "ResourceArn"), ":repository/"); ok {
		name = ofARN
	}
	return []string{name}
}

// member returns a member of one of the SDK's structs, the zero value if it has none of this name and type.
func member[T any](shape any, name string) (value T) {
	if f := reflect.ValueOf(shape).Elem().FieldByName(name); f.IsValid() {
		value, _ = f.Interface().(T)
	}
	return value
}

// authorizeV2 checks that the caller may do a call of /v2/, in the registry of an account.
func (x *exchange) authorizeV2(account, action string, rt route) error {
	if rt.template == routePing {
		return nil
	}
	p := permission{account: account, action: "ecr:" + action, repository: rt.name}
	if rt.template == routeCatalog {
		p.repository = "*"
	}
	if err := x.authorize(p); err != nil {
		return err
	}
	if x.call.Op == "PUT "+routeUpload && x.r.ContentLength != 0 { // it ends an upload and brings bytes too
		p.action = "ecr:UploadLayerPart"
		if err := x.authorize(p); err != nil {
			return err
		}
	}
	x.account = account
	return nil
}

// mayMount reports whether the caller may mount layers of a repository: "users need ecr:GetDownloadUrlForLayer" (user
// guide, blob mounting).
func (x *exchange) mayMount(from string) bool {
	return from != "" && x.authorize(permission{account: x.account, action: "ecr:GetDownloadUrlForLayer", repository: from}) == nil
}
