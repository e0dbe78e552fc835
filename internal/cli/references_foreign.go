package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ecrkit/ecrkit/transfer/ref"
)

// missingPlace is the error about a name that is no file, and not the name of an image either.
type missingPlace struct{ name, advice string }

func (e missingPlace) Error() string {
	return fmt.Sprintf("there is no file or directory %s%s", e.name, e.advice)
}

// parseTransfer reads a source and its destinations. A destination that does not exist yet needs its form.
func (app *App) parseTransfer(args []string) ([]ref.Reference, error) {
	references := make([]ref.Reference, len(args))
	for i, arg := range args {
		var err error
		references[i], err = app.parseReference(arg)
		if missing := (missingPlace{}); i > 0 && errors.As(err, &missing) {
			return nil, usagef("there is no file or directory %s; for a new one write its form, oci:%[1]s, oci-archive:%[1]s or docker-archive:%[1]s%s", missing.name, missing.advice)
		}
		if err != nil {
			return nil, err
		}
	}
	return references, nil
}

// explainForeign returns what to write instead of a name in a form of skopeo, podman or buildah that ecrkit does not read, and nil for other names.
func explainForeign(s string) error {
	form, rest, _ := strings.Cut(s, ":")
	if rest == "" {
		return nil
	}
	switch form {
	case "dir":
		if wrong := explainDirectory(rest); wrong != "" {
			return fmt.Errorf("%s is %s", rest, wrong)
		}
		return errors.New(s + " is in skopeo's own form, which ecrkit does not use; for a layout write oci:" + rest)
	case "containers-storage":
		return fmt.Errorf("%s is in the storage of podman, which ecrkit does not read; save the image: podman save --format oci-archive -o image.tar %s, and then name oci-archive:image.tar", s, rest)
	case "oci-dir", "oci-layout":
		return fmt.Errorf("%s is not a form of ecrkit; for a layout write oci:%s", s, rest)
	}
	return nil
}

// explainDirectory describes a directory that holds an image in a form that is not a layout; "" if it does not.
func explainDirectory(path string) string {
	has := func(name string) bool {
		info, err := os.Stat(filepath.Join(path, name))
		return err == nil && info.Mode().IsRegular()
	}
	name := filepath.Clean(path)
	switch {
	case !has("manifest.json") || has("oci-layout"):
		return ""
	case has("version"):
		return fmt.Sprintf("a directory as skopeo and podman write it for dir:, not a layout; convert it: skopeo copy dir:%s oci:%s-oci:TAG, and then name oci:%[2]s-oci:TAG", path, name)
	}
	return fmt.Sprintf("an unpacked archive of docker save; pack it: tar -C %s -cf %s.tar ., and then name docker-archive:%[2]s.tar", path, name)
}
