package cli

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ecr"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

const (
	// completionTime is how long a shell may wait for what a registry knows.
	completionTime = 1500 * time.Millisecond
	// maxCompletions bounds what is shown.
	maxCompletions = 200
)

// asksForCompletion reports whether a shell asks what the user can type. Only then are the
// completions of flags and arguments registered, because that doubles the time to build the
// command tree.
func asksForCompletion(args []string) bool {
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// completeReferences completes the arguments of the commands that take references.
func completeReferences(app *App, root *cobra.Command) {
	for _, name := range []string{
		"push", "pull", "copy", "tag", "inspect", "digest", "doctor", "ls", "rm", "signing status", "sign", "verify", "attest", "tree", "blob fetch",
		"scan start", "scan wait", "scan report", "scan gate", "lifecycle get", "lifecycle put", "lifecycle rm", "lifecycle preview",
		"index create", "index add", "index remove", "index annotate",
		"repo describe", "repo ls", "repo set", "repo rm", "repo tag", "repo untag", "repo policy get", "repo policy rm", "repo audit", "repo export",
		"registry replication status",
	} {
		cmd, rest, err := root.Find(strings.Fields(name))
		if err == nil && len(rest) == 0 && cmd.ValidArgsFunction == nil {
			cmd.ValidArgsFunction = app.completeReference
		}
	}
}

// completeReference returns references that begin with prefix: layouts and their
// tags, and repositories of Amazon ECR and their tags. Whatever fails completes
// nothing; what is no such reference is completed as a file.
func (app *App) completeReference(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	if rest, ok := strings.CutPrefix(prefix, "oci:"); ok {
		if dir, digest, ok := strings.Cut(rest, "@"); ok && layout.Is(dir) {
			return digestsWith(ctx, layout.New(dir), "oci:"+dir, digest)
		}
		if i := strings.LastIndexByte(rest, ':'); i > 0 && layout.Is(rest[:i]) {
			return tagsWith(ctx, layout.New(rest[:i]), "oci:"+rest[:i], rest[i+1:])
		}
		return directories("oci:", rest), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
	config, err := app.settings()
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	host, rest, slash := strings.Cut(prefix, "/")
	registry, err := config.Registries.Parse(host)
	place := host + "/"
	if chosen, _ := app.Env(registryVariable); err != nil && chosen != "" && takesNames(cmd) {
		// A name without a host is a repository of that registry.
		place, rest, slash = "", prefix, true
		registry, err = config.Registries.Parse(chosen)
	}
	if err != nil || registry.Public || !slash {
		return nil, cobra.ShellCompDirectiveDefault
	}
	if i := strings.IndexAny(rest, ":@"); i >= 0 {
		r, err := app.parseReference(host + "/" + rest[:i])
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		repository, err := app.openECR(ctx, r)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		if rest[i] == '@' {
			return digestsWith(ctx, repository, host+"/"+rest[:i], rest[i+1:])
		}
		if name, digest, ok := strings.Cut(rest, "@"); ok {
			return digestsWith(ctx, repository, host+"/"+name, digest)
		}
		return tagsWith(ctx, repository, host+"/"+rest[:i], rest[i+1:])
	}
	cfg, err := app.awsConfig(ctx, registry)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var found []string
	for repository, err := range ecr.List(ctx, cfg, registry) {
		if err != nil || len(found) == maxCompletions {
			break
		}
		if strings.HasPrefix(repository.Name, rest) {
			found = append(found, place+repository.Name)
		}
	}
	return found, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

// takesNames reports whether a command takes names of repositories without a host.
func takesNames(cmd *cobra.Command) bool {
	path := strings.Fields(cmd.CommandPath())
	return len(path) > 1 && (path[1] == "repo" || path[1] == "lifecycle" || path[1] == "signing")
}

// tagsWith returns the tags of place that begin with prefix.
func tagsWith(ctx context.Context, images content.ImageLister, place, prefix string) ([]string, cobra.ShellCompDirective) {
	var found []string
	for image, err := range images.Images(ctx, content.TaggedOnly) {
		if err != nil {
			break
		}
		for _, tag := range image.Tags {
			if strings.HasPrefix(tag, prefix) && len(found) < maxCompletions {
				found = append(found, place+":"+printable(tag))
			}
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// digestsWith returns the digests of images in place that begin with prefix.
func digestsWith(ctx context.Context, images content.ImageLister, place, prefix string) ([]string, cobra.ShellCompDirective) {
	var found []string
	for image, err := range images.Images(ctx, content.AnyTags) {
		if err != nil || len(found) == maxCompletions {
			break
		}
		if strings.HasPrefix(string(image.Digest), prefix) {
			found = append(found, place+"@"+string(image.Digest))
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// directories returns those that begin with prefix, the layouts among them without
// the slash after which more would follow.
func directories(kind, prefix string) []string {
	dir, begin := path.Split(filepath.ToSlash(prefix))
	at := dir
	if at == "" {
		at = "."
	}
	entries, err := os.ReadDir(at)
	if err != nil {
		return nil
	}
	var found []string
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || !strings.HasPrefix(name, begin) || strings.HasPrefix(name, ".") && begin == "" || len(found) == maxCompletions {
			continue
		}
		if layout.Is(filepath.Join(at, name)) {
			found = append(found, kind+dir+name)
		} else {
			found = append(found, kind+dir+name+"/")
		}
	}
	return found
}

// completeEnumerations completes the flags of all commands below cmd whose type lists
// their values: text|json.
func completeEnumerations(cmd *cobra.Command) {
	complete := func(f *pflag.Flag) {
		values := strings.Split(f.Value.Type(), "|")
		if known := enumerations(cmd, f.Name); known != nil {
			values = known
		}
		if len(values) > 1 {
			// A flag that has a function already keeps it.
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	cmd.LocalFlags().VisitAll(complete)
	for _, sub := range cmd.Commands() {
		completeEnumerations(sub)
	}
}

// enumerations returns the values of a flag whose type does not list them.
func enumerations(cmd *cobra.Command, flag string) []string {
	switch cmd.Name() + " " + flag {
	case "ls sort":
		return []string{"pushed", "pulled", "size", "tag", "name"}
	case "create type":
		return []string{"oci", "docker"}
	case "import existing":
		return []string{"overwrite", "skip", "retag", "error"}
	case "export part-size":
		return []string{"fat32", "dvd", "bd25", "s3"}
	case "local quotas":
		return []string{"off", "default"}
	case "local quirks-off":
		var names []string
		for _, q := range localecr.Quirks() {
			names = append(names, string(q))
		}
		return names
	}
	if flag == "encryption" {
		return []string{"AES256", "KMS", "KMS_DSSE"}
	}
	return nil
}
