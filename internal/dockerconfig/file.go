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

	"github.com/tailscale/hujson"
)

// maxFile bounds the files that are read, in bytes.
const maxFile = 4 << 20

// File is one of the files, as text. The zero value is not useful; see [Load].
type File struct {
	path     string // with symbolic links resolved
	original []byte // nil if the file was not there
	text     []byte
}

// Load reads a file. One that is not there is an empty document.
func Load(path string) (*File, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &File{path: path, text: []byte("{}")}, nil
	case err != nil:
		return nil, err
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s is larger than %d bytes: no docker configuration", path, maxFile)
	}
	data, err := os.ReadFile(path)
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

// Path is where the file is, with symbolic links resolved.
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

// DockerPath is docker's configuration file.
func DockerPath(env func(string) (string, bool)) string {
	if directory, _ := env("DOCKER_CONFIG"); directory != "" {
		return filepath.Join(directory, "config.json")
	}
	return filepath.Join(home(env), ".docker", "config.json")
}

// PodmanPath is the file of podman, buildah and skopeo: containers-auth.json(5).
func PodmanPath(env func(string) (string, bool)) string {
	if path, _ := env("REGISTRY_AUTH_FILE"); path != "" {
		return path
	}
	if directory, _ := env("XDG_RUNTIME_DIR"); directory != "" && runtime.GOOS == "linux" {
		return filepath.Join(directory, "containers", "auth.json")
	}
	return filepath.Join(home(env), ".config", "containers", "auth.json")
}

func home(env func(string) (string, bool)) string {
	key := "HOME"
	if runtime.GOOS == "windows" {
		key = "USERPROFILE"
	}
	directory, _ := env(key)
	return directory
}
