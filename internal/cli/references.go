package cli

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/transfer/content"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// parseReferences reads the arguments of a command.
func (app *App) parseReferences(args []string) ([]ref.Reference, error) {
	references := make([]ref.Reference, len(args))
	for i, arg := range args {
		var err error
		if references[i], err = app.parseReference(arg); err != nil {
			return nil, err
		}
	}
	return references, nil
}

// withLatest adds the tag that a registry reference has by convention.
func withLatest(r ref.Reference) ref.Reference {
	if r.IsRepository() && r.Name() == "" {
		r.Tag = "latest"
	}
	return r
}

// parseReference reads a reference; a mistake in it is a usage error.
func (app *App) parseReference(s string) (ref.Reference, error) {
	config, err := app.settings()
	if err != nil {
		return ref.Reference{}, err
	}
	r, err := ref.Parse(s, config.Registries, ref.Detect)
	if err != nil {
		explained := app.explainReference(s, err)
		if cut := (truncatedError{}); errors.As(explained, &cut) {
			return ref.Reference{}, explained
		}
		return ref.Reference{}, usageError{explained}
	}
	return r, nil
}

// explainReference adds to the error of a reference what is known about it: what is wrong
// with the file of that name, or that a repository is named with its host.
func (app *App) explainReference(s string, err error) error {
	path := s
	info, statErr := os.Stat(path)
	if foreign := explainForeign(s); statErr != nil && foreign != nil {
		return foreign
	}
	if i := strings.LastIndexByte(s, ':'); statErr != nil && i > 0 {
		path = s[:i]
		info, statErr = os.Stat(path)
	}
	if statErr != nil {
		if strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../") || filepath.IsAbs(s) {
			return missingPlace{s, app.adviceOnPath(s)}
		}
		if wrong := ref.CheckHost(s); wrong != nil && errors.Is(err, ref.ErrUnknownPlace) {
			return fmt.Errorf("host %w", wrong)
		}
		if _, wrong := digest.Parse(s); wrong == nil {
			return fmt.Errorf("there is no file or directory %s; for the image with that digest write HOST/REPOSITORY@%s", s, s)
		}
		if host, _ := app.Env(registryVariable); host != "" && errors.Is(err, ref.ErrUnknownPlace) && repositoryWord.MatchString(s) {
			return missingPlace{s, fmt.Sprintf("; for the repository of that name write %s/%s", host, s)}
		}
		return err
	}
	why := ""
	switch {
	case info.IsDir():
		why = cmp.Or(explainDirectory(path), "a directory without an OCI layout (it has no file oci-layout)")
	case info.Mode()&os.ModeNamedPipe != 0:
		why = fmt.Sprintf("a named pipe; say what comes through it: oci-archive:%s or docker-archive:%s", path, path)
	case !info.Mode().IsRegular():
		why = "a device or a socket, not a file with an image"
	case info.Size() == 0:
		why = "an empty file; did the command that writes it fail?"
	default:
		why = whatIsWrong(path)
	}
	if why == truncated {
		return truncatedError{path}
	}
	return fmt.Errorf("%s is %s%s", path, why, adviceOnLayout(path))
}

// adviceOnLayout says which layout a file or directory is a part of.
func adviceOnLayout(path string) string {
	for range 3 { // blobs/sha256/HEX
		path = filepath.Dir(path)
		if info, err := os.Stat(filepath.Join(path, ocispec.ImageLayoutFile)); err == nil && info.Mode().IsRegular() {
			return "; it is a part of an OCI layout: write oci:" + path
		}
	}
	return ""
}

// adviceOnPath says what may be wrong with a path that does not exist and has the form of /REPOSITORY:TAG: in $HOST/app:1.0
// the variable is often empty.
func (app *App) adviceOnPath(path string) string {
	name, rooted := strings.CutPrefix(path, "/")
	if !rooted || !repositoryWord.MatchString(name) || !strings.Contains(name, ":") {
		return ""
	}
	if host, _ := app.Env(registryVariable); host != "" {
		return fmt.Sprintf("; for the repository of that name write %s%s", host, path)
	}
	return "; if a variable with the host is written before it, that variable is empty"
}

// truncated is what [whatIsWrong] says of the beginning of an archive.
const truncated = "a tar archive that ends too early; copy or make it again"

// truncatedError is the error about a file of which the end is missing: it is an archive, as after oci-archive:.
type truncatedError struct{ path string }

func (e truncatedError) Error() string { return e.path + " is " + truncated }

// Is makes the error a [content.ErrIntegrity].
func (truncatedError) Is(target error) bool { return target == content.ErrIntegrity }

// beginsPEM is how a key or a certificate in PEM begins.
const beginsPEM = "-----BEGIN "

// whatIsWrong describes a file that is no archive of an image.
func whatIsWrong(path string) string {
	if err := files.CheckRegular(path); err != nil {
		return "no archive of an image: " + err.Error()
	}
	f, err := os.Open(path)
	if err != nil {
		return "a file that cannot be read: " + err.Error()
	}
	defer f.Close() // opened for reading
	first := make([]byte, len(beginsPEM))
	n, _ := io.ReadFull(f, first)
	switch first = first[:n]; {
	case string(first) == beginsPEM:
		return "a file in PEM, such as a key, not an image; a key is named by a flag, as in --key " + filepath.Base(path)
	case bytes.HasPrefix(first, []byte("\xfd7zXZ\x00")):
		return "compressed with xz, which is not supported; decompress it first: xz -d " + filepath.Base(path)
	case bytes.HasPrefix(first, []byte("BZh")):
		return "compressed with bzip2, which is not supported; decompress it first: bzip2 -d " + filepath.Base(path)
	case bytes.HasPrefix(first, []byte("PK")):
		return "a zip file, not a tar archive with an image"
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err.Error()
	}
	archive := tar.NewReader(f)
	for entries := 0; ; entries++ {
		switch _, err := archive.Next(); {
		case err == io.EOF && !hasEndMark(f):
			return truncated
		case err == io.EOF:
			return "a tar archive without an image: it has neither oci-layout nor manifest.json"
		case errors.Is(err, io.ErrUnexpectedEOF) && entries == 0:
			return "not a tar archive, or only the beginning of one"
		case errors.Is(err, io.ErrUnexpectedEOF):
			return truncated
		case err != nil:
			return "not a tar archive"
		}
	}
}

// hasEndMark reports whether a tar ends with the two empty blocks that mark its end.
func hasEndMark(f *os.File) bool {
	end := make([]byte, 2*512)
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.ReadAt(end, max(size-int64(len(end)), 0))
	}
	return err == nil && bytes.Count(end, []byte{0}) == len(end)
}

// repositoryWord is a name that a repository may have, with a tag.
var repositoryWord = lazyregexp.New(`^[a-z0-9]+(?:[._/-][a-z0-9]+)*(?::[\w.-]+)?$`)
