package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/mirror"
)

// maxInUse bounds a list of images in use, in bytes.
const maxInUse = 64 << 20

// pruneFlags ask for deletions.
type pruneFlags struct {
	maxDelete string
	inUse     []string
	pruning   *mirror.Pruning // after read
}

func (f *pruneFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.maxDelete, "max-delete", "", "also delete at the destinations what is not selected, at most `N|N%` tags and untagged images (default delete nothing)")
	cmd.Flags().StringArrayVar(&f.inUse, "in-use", nil, "`file` with a JSON array of images that are never deleted, - is stdin; may be repeated")
}

// read reads the files; nil is not to prune.
func (f *pruneFlags) read(app *App) (*mirror.Pruning, error) {
	if f.maxDelete == "" {
		if len(f.inUse) > 0 {
			return nil, usagef("--in-use needs --max-delete")
		}
		return nil, nil
	}
	p := &mirror.Pruning{MaxDelete: f.maxDelete}
	for _, path := range f.inUse {
		in, closeFile, err := app.openInput(path)
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(io.LimitReader(in, maxInUse+1))
		closeFile()
		if err != nil {
			return nil, err
		}
		var images []string
		if len(data) > maxInUse {
			err = fmt.Errorf("larger than %d bytes", maxInUse)
		} else {
			err = json.Unmarshal(data, &images)
		}
		if err != nil || images == nil {
			return nil, usagef("--in-use %s: not a JSON array of images", showFile(path))
		}
		p.InUse = append(p.InUse, images...)
	}
	if err := p.Validate(); err != nil {
		return nil, usageError{aboutFlag("--max-delete, --in-use", err)}
	}
	return p, nil
}

// mirrorDeletionText is what is deleted of an image.
func mirrorDeletionText(d mirror.Deletion) string {
	if len(d.Tags) == 0 {
		return fmt.Sprintf("  %-8s  %s\n", "delete", d.Digest)
	}
	var s strings.Builder
	for _, tag := range d.Tags {
		fmt.Fprintf(&s, "  %-8s  %s  %s", "delete", printable(tag), showDigest(d.Digest, 1))
		if !d.Whole {
			s.WriteString(" (the image stays)")
		}
		s.WriteString("\n")
	}
	return s.String()
}
