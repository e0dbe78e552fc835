package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/internal/nearest"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// misplaced returns what to do about a file that does not exist: that stdin is not read where the file is "-", the order of
// the arguments if another one is a file, which command takes the image that stands where a file is expected, and the file
// beside it whose name is almost the same; "" otherwise.
func misplaced(cmd *cobra.Command, err error) string {
	var missing *fs.PathError
	if errors.As(err, &missingPolicy{}) {
		for _, arg := range cmd.Flags().Args() {
			if isFile(arg) {
				return "write --policy " + arg
			}
		}
	}
	if !errors.As(err, &missing) || !errors.Is(missing, fs.ErrNotExist) {
		return ""
	}
	if missing.Path == "-" {
		return "stdin is not read here; name a file"
	}
	args := cmd.Flags().Args()
	at := slices.Index(args, missing.Path)
	for i, arg := range args {
		if at >= 0 && i != at && isFile(arg) {
			return "the order is: " + cmd.UseLine()
		}
	}
	switch {
	case at < 0 && !isFlagValue(cmd, missing.Path):
		return ""
	case isImageName(missing.Path):
		return imageForFile(cmd, missing.Path)
	}
	if near := nearFile(missing.Path); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return ""
}

// missingPolicy is that no --policy was passed.
type missingPolicy struct{ text string }

func (e missingPolicy) Error() string { return e.text }

func isFlagValue(cmd *cobra.Command, value string) bool {
	found := false
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if slice, ok := f.Value.(pflag.SliceValue); ok {
			values = slice.GetSlice()
		}
		found = found || slices.Contains(values, value)
	})
	return found
}

// isImageName reports whether a path that does not exist is the name of an image or a repository.
func isImageName(path string) bool {
	if strings.HasPrefix(path, ".") || filepath.IsAbs(path) {
		return false
	}
	if first, _, nested := strings.Cut(path, "/"); nested {
		if _, err := os.Stat(first); err == nil {
			return false // a file that is missing in a directory
		}
	}
	switch filepath.Ext(path) {
	case ".json", ".yaml", ".yml", ".pem", ".pub", ".key", ".txt", ".tar":
		return false
	}
	_, err := ref.Parse(path, auth.Registries{}, ref.Detect)
	return err == nil
}

// imageForFile says what a command reads, and which one takes the image that was named in its place.
func imageForFile(cmd *cobra.Command, image string) string {
	group := ""
	if cmd.HasParent() {
		group = cmd.Parent().Name()
	}
	switch {
	case strings.Contains(cmd.CommandPath(), " mirror ") && strings.Contains(cmd.Use, "CONFIG"):
		return fmt.Sprintf("CONFIG is a file that says what is copied where (ecrkit mirror --help), not an image; `ecrkit copy %s DST` copies one image, with --all-tags a repository", image)
	case group == "lifecycle":
		return "a file is expected here, not a repository; `ecrkit lifecycle get REPO` prints the policy of one"
	case group == "repo" && cmd.Name() == "apply":
		return "a file is expected here, not a repository; `ecrkit repo export` writes one"
	}
	return "a file is expected here, not the name of an image or a repository"
}

// nearFile returns the regular file in the directory of path whose name is almost that of path, or "".
func nearFile(path string) string {
	directory, name := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(directory))
	if err != nil {
		return ""
	}
	var names []string
	for _, entry := range entries {
		if entry.Type().IsRegular() {
			names = append(names, entry.Name())
		}
	}
	if near := nearest.Names(name, names); len(near) > 0 {
		return printable(directory + near[0])
	}
	return ""
}
