package house

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// endpoints are the packages that an image comes from and goes to.
var endpoints = []string{"transfer/ecr", "transfer/registry", "transfer/layout", "transfer/archive", "transfer/docker"}

// aws is Amazon's SDK.
const aws = "github.com/aws/..."

// The arrows of the design: the packages from need none of what never names, be it
// through others, and import only what only names of the packages of this module.
var arrows = []struct {
	from  []string
	never []string // in all that the package needs
	only  []string // of this module, in what the package itself imports
	why   string
}{
	{
		from:  []string{"transfer"},
		never: append([]string{"net/http", aws, "auth/...", "transfer/ref", "transfer/internal/v2"}, endpoints...),
		why:   "the engine moves images between any two endpoints: it knows neither HTTP, nor AWS, nor an endpoint",
	}, {
		from: []string{"transfer/content"},
		only: []string{"internal/files", "internal/lazyregexp", "internal/strictjson"},
		why:  "the contract is what everything else depends on",
	}, {
		from: []string{"internal/imagetree", "internal/imagename"},
		only: []string{"transfer/content"},
		why:  "how an image is read and named is decided by the contract alone",
	}, {
		from:  []string{"transfer/content", "internal/imagetree", "internal/imagename", "transfer/index", "transfer/layout", "transfer/archive"},
		never: []string{"net/http", aws, "auth/..."},
		why:   "an image in a file is read without a network",
	}, {
		from: endpoints,
		only: []string{"auth/...", "internal/calls/...", "internal/challenge", "internal/files", "internal/imagename", "internal/imagetree", "internal/loopback", "internal/nearest", "internal/safetext", "internal/registryname", "internal/strictjson",
			"transfer/content", "transfer/layout", "transfer/internal/..."},
		why: "an endpoint knows the contract, not the engine and not its neighbours; archives are layouts in a tar",
	}, {
		from:  []string{"mirror"},
		never: append([]string{"net/http", aws, "auth/...", "transfer/ref"}, endpoints...),
		only:  []string{"internal/age", "internal/imagetree", "internal/lazyregexp", "internal/nearest", "internal/strictjson", "internal/strictyaml", "internal/wildcard", "mirror/internal/manifestcache", "mirror/internal/memo", "transfer", "transfer/content"},
		why:   "a mirror is many copies of the engine, whatever the endpoints",
	}, {
		from: []string{"mirror/internal/memo"},
		only: []string{"internal/imagetree", "mirror/internal/manifestcache", "transfer/content"},
		why:  "what a repository has answered is remembered without knowing why it was asked",
	}, {
		from: []string{"mirror/internal/manifestcache"},
		only: []string{"internal/files", "transfer/content"},
		why:  "files with manifests know no registry",
	}, {
		from: []string{"mirror/internal/journal"},
		only: []string{"internal/files", "transfer/content"},
		why:  "a journal notes blobs: it knows neither sets of images nor where blobs come from",
	}, {
		from: []string{"mirror/internal/parts"},
		only: []string{"transfer/content"},
		why:  "files as one run of bytes: what is in them is the affair of the set",
	}, {
		from: []string{"mirror/inventory"},
		only: []string{"delta", "internal/strictjson", "transfer/content"},
		why:  "an inventory is a list of digests: it knows neither registries nor sets",
	}, {
		from: []string{"mirror/internal/parity"},
		only: []string{"mirror/internal/parity"}, // nothing else of this module
		why:  "parity is computed of bytes: it knows neither sets of images nor files by name",
	}, {
		from:  []string{"mirror/job"},
		never: []string{"net/http", aws, "auth/...", "transfer/...", "mirror"},
		why:   "a job is a text for an engine",
	}, {
		from:  []string{"mirror/media"},
		never: []string{"net/http", aws, "auth/...", "transfer/ref"},
		only:  []string{"delta", "internal/files", "internal/jsonlist", "internal/strictjson", "internal/unpack", "mirror", "mirror/internal/journal", "mirror/internal/manifestcache", "mirror/internal/memo", "mirror/internal/parity", "mirror/internal/parts", "mirror/inventory", "transfer", "transfer/archive", "transfer/content"},
		why:   "a set of images in files is written and read without knowing whence and whereto",
	}, {
		from:  []string{"delta/..."},
		never: []string{"net/http", aws, "auth/...", "transfer"},
		only:  []string{"delta/internal/...", "internal/strictjson", "internal/unpack", "transfer/content"},
		why:   "a delta is made of bytes and makes bytes: it knows neither images nor where layers come from",
	}, {
		from:  []string{"proxy"},
		never: append([]string{aws, "auth/...", "transfer/ref"}, endpoints...),
		only:  []string{"internal/calls/retry", "internal/calls/room", "internal/files", "internal/imagetree", "internal/loopback", "internal/openconns", "internal/registryname", "internal/safetext", "internal/strictjson", "transfer", "transfer/content"},
		why:   "a proxy serves what the engine reads, whatever the endpoint",
	}, {
		from:  []string{"proxy/setup"},
		never: append([]string{aws, "auth/...", "transfer", "transfer/ref"}, endpoints...),
		only:  []string{"internal/files", "internal/loopback", "internal/registryname", "internal/safetext", "transfer/content"},
		why:   "files of engines are edited without knowing what a proxy serves",
	}, {
		from:  []string{"sign"},
		never: append([]string{aws, "auth/...", "transfer", "transfer/ref"}, endpoints...),
		only: []string{"internal/calls/retry", "internal/ecrhost", "internal/files", "internal/imagetree", "internal/lazyregexp", "internal/loopback", "internal/registryname", "internal/strictjson",
			"internal/strictyaml", "transfer/content"},
		why: "signatures are manifests at any endpoint: they need the contract, neither AWS nor the engine nor an endpoint",
	}, {
		from:  []string{"sign/awskms"},
		never: append([]string{"transfer", "transfer/ref"}, endpoints...),
		only:  []string{"auth", "internal/calls/...", "sign", "transfer/content"},
		why:   "a key of AWS KMS is one signer of many; its errors are those of AWS (auth)",
	}, {
		from:  []string{"internal/ecrhost"},
		never: []string{aws, "auth/..."},
		only:  []string{"internal/lazyregexp", "internal/loopback"},
		why:   "a host name is text",
	}, {
		from:  []string{"lifecycle", "scan"},
		never: []string{aws, "net/http", "auth/...", "transfer/..."},
		why:   "policies and findings are judged offline",
	}, {
		from:  []string{"auth/..."},
		never: []string{"transfer/...", "sign/...", "localecr/...", "internal/cli"},
		why:   "whose registry a host is, and the token for it, is the lowest storey",
	}, {
		from:  []string{"localecr/..."},
		never: []string{"auth/...", "transfer/...", "sign/...", "internal/calls/...", "internal/ecrhost", "internal/cli"},
		why:   "a server that shares code with its client shares its mistakes",
	},
}

func TestArrows(t *testing.T) {
	all := load(t)
	for _, a := range arrows {
		checked := 0
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if !in(name, a.from...) {
				continue
			}
			checked++
			for _, dep := range all[name].deps {
				if in(dep, a.never...) {
					t.Errorf("%s needs %s: %s", name, dep, a.why)
				}
			}
			for _, path := range all[name].imports {
				if _, ours := all[path]; ours && len(a.only) > 0 && !in(path, a.only...) {
					t.Errorf("%s imports %s: %s", name, path, a.why)
				}
			}
		}
		if checked < len(a.from) {
			t.Errorf("%d packages are %s", checked, strings.Join(a.from, ", "))
		}
	}
}

// importers are the only packages that may import these, for all that are part of the product.
var importers = []struct {
	of   []string
	only []string
	why  string
}{
	{[]string{"internal/cli"}, []string{"cmd/..."}, "nothing builds on the command line"},
	{[]string{"internal/test/...", "internal/tools/..."}, nil, "the product needs neither its tests nor its tools"},
	{[]string{"transfer/internal/fixture"}, nil, "it is for tests"},
	{[]string{"internal/credhelper"}, []string{"cmd/docker-credential-ecrkit"}, "the credential helper is a program"},
	{[]string{"proxy"}, []string{"internal/cli"}, "a server is not part of its clients, and the credential helper starts without it"},
	{[]string{"localecr"}, []string{"internal/cli"}, "a server is not part of its clients"},
	{[]string{"transfer/archive"}, []string{"transfer/ref", "internal/cli", "mirror/media"}, "only the parser of references knows all endpoints; a set has an archive in it"},
	{[]string{"transfer/registry", "transfer/docker"}, []string{"transfer/ref", "internal/cli"}, "only the parser of references knows all endpoints; the command line sets its own up"},
	{[]string{"transfer/ecr"}, []string{"transfer/ref", "internal/cli", "internal/governance"}, "only the parser of references knows all endpoints; others know Amazon ECR because they are about it"},
}

func TestImporters(t *testing.T) {
	all := load(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !isProduct(name) {
			continue
		}
		for _, rule := range importers {
			for _, path := range all[name].imports {
				if in(path, rule.of...) && !in(name, append(rule.only, rule.of...)...) {
					t.Errorf("%s imports %s: %s", name, path, rule.why)
				}
			}
		}
	}
}
