// Package dockerconfig edits docker's config.json, and podman's auth.json, and
// leaves everything else in them byte for byte as it was.
package dockerconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/tailscale/hujson"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/startup"
)

// maxFile bounds the files that are read, in bytes.
const maxFile = 4 << 20

// File is one of the files, as text. The zero value is not useful; see [Load].
type File struct {
	path     string // with symbolic links resolved
	original []byte // nil if the file was not there
	text     []byte
	secret   bool // text has a password that original does not have
}

// Load reads a file. A missing one is an empty document.
func Load(path string) (*File, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, err
	}
	data, err := files.Read(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return &File{path: path, text: []byte("{}")}, nil
	}
	if err != nil {
		return nil, err
	}
	text := data
	if len(bytes.TrimSpace(data)) == 0 {
		text = []byte("{}")
	}
	if _, err := parse(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &File{path: path, original: data, text: text}, nil
}

// resolve follows symbolic links, also to a file that does not exist yet.
func resolve(path string) (string, error) {
	const most = 40 // links, as in Linux
	for range most {
		real, err := filepath.EvalSymlinks(path)
		if err == nil {
			return real, nil
		}
		target, err := os.Readlink(path)
		if err != nil {
			return path, nil // neither a file nor a link: whoever reads it reports what is wrong
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", fmt.Errorf("%s: too many symbolic links", path)
}

// Path returns where the file is, with symbolic links resolved.
func (f *File) Path() string { return f.path }

// Bytes is the text with the changes.
func (f *File) Bytes() []byte { return bytes.Clone(f.text) }

// parse accepts what docker accepts: an object in standard JSON.
func parse(text []byte) (*hujson.Object, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("line %d: %w", bytes.Count(text[:syntax.Offset], []byte("\n"))+1, err)
		}
		return nil, errors.New("not a JSON object")
	}
	value, err := hujson.Parse(text)
	if err != nil {
		return nil, err
	}
	root, ok := value.Value.(*hujson.Object)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return root, nil
}

// ErrNoHome is returned if a file is in the home directory and there is none.
var ErrNoHome = errors.New("there is no home directory; set " + startup.HomeVariable)

// DockerPath returns the path of docker's configuration file, or [ErrNoHome].
func DockerPath(env startup.Environment) (string, error) {
	if directory := env.Get("DOCKER_CONFIG"); directory != "" {
		return filepath.Join(directory, "config.json"), nil
	}
	return inHome(env, ".docker", "config.json")
}

// PodmanPath returns the path of the file of podman, buildah and skopeo
// (containers-auth.json(5)), or [ErrNoHome].
func PodmanPath(env startup.Environment) (string, error) {
	if path := env.Get("REGISTRY_AUTH_FILE"); path != "" {
		return path, nil
	}
	if directory := env.Get("XDG_RUNTIME_DIR"); filepath.IsAbs(directory) && runtime.GOOS == "linux" {
		return filepath.Join(directory, "containers", "auth.json"), nil
	}
	return inHome(env, ".config", "containers", "auth.json")
}

func inHome(env startup.Environment, elements ...string) (string, error) {
	home := env.Home()
	if home == "" {
		return "", ErrNoHome
	}
	return filepath.Join(slices.Insert(elements, 0, home)...), nil
}
