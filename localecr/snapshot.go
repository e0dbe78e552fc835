package localecr

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/lazyregexp"
	"github.com/ecrkit/ecrkit/localecr/internal/keys"
	"github.com/ecrkit/ecrkit/localecr/internal/registry"
)

// ErrNoSnapshot means that there is no snapshot of a name.
var ErrNoSnapshot = errors.New("no such snapshot")

// ErrSnapshotDamaged means that a snapshot is not whole, as after a loss of power.
var ErrSnapshotDamaged = registry.ErrSnapshotDamaged

// ErrSnapshotName means that a snapshot cannot have a name.
var ErrSnapshotName = errors.New("the name of a snapshot has at most 64 lower-case letters, digits, dots, hyphens and underscores, begins with a letter or digit, and is not a device of Windows, such as nul")

var snapshotName = lazyregexp.New(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// unfinished begins the names of snapshots, and of keys, that are being made or removed. New removes them.
const unfinished = ".unfinished-"

// Seed puts in what the server begins with: it calls Options.Seed. [Server.Reset] does so too. Until it returns, the
// health of the server is that of one that is not ready.
func (s *Server) Seed(ctx context.Context) error {
	s.seeding.Add(1)
	defer s.seeding.Add(-1)
	if s.seed == nil {
		return nil
	}
	return s.seed(ctx, s)
}

// Reset empties the server: repositories, images, policies, settings and KMS keys, of all accounts and regions. Faults and
// quotas count from the beginning. Then it calls Options.Seed. Snapshots, the clock, and tokens that were issued remain.
func (s *Server) Reset(ctx context.Context) (err error) {
	s.states.Lock()
	defer s.states.Unlock()
	defer func() { err = errors.Join(err, files.RemoveAll(s.preparedKeys())) }()
	s.seeding.Add(1)
	defer s.seeding.Add(-1)
	replaceKeys, err := s.prepareKeys("")
	if err == nil {
		err = s.store.Clear()
	}
	if err == nil {
		err = replaceKeys()
	}
	if err != nil {
		return fmt.Errorf("local ECR: reset: %w", err)
	}
	s.script.restart()
	s.buckets.refill()
	return s.Seed(ctx)
}

// Snapshot keeps the state of the server under a name until [Server.Restore]: repositories, images, policies, settings and
// KMS keys. It replaces a snapshot of this name. Layers are hard links and take no space. Snapshots are in the
// directory of the store. Uploads that are not complete are not part of them. The error wraps [ErrSnapshotName] if the
// name cannot be that of a snapshot.
func (s *Server) Snapshot(name string) (err error) {
	if !snapshotName.MatchString(name) || files.IsDevice(name) {
		return fmt.Errorf("local ECR: snapshot %q: %w", name, ErrSnapshotName)
	}
	s.states.Lock()
	defer s.states.Unlock()
	dir, path := filepath.Join(s.snapshotsDir(), unfinished+name), filepath.Join(s.snapshotsDir(), name)
	err = files.RemoveAll(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = s.store.Snapshot(dir)
	}
	if err == nil {
		err = keys.Copy(s.keysDir(), filepath.Join(dir, "kms"))
	}
	if err == nil && s.sync {
		err = files.SyncTree(dir)
	}
	if err == nil {
		err = files.RemoveAll(path)
	}
	if err == nil {
		err = files.Rename(dir, path)
	}
	if err == nil && s.sync {
		err = errors.Join(files.SyncDir(s.snapshotsDir()), files.SyncDir(s.dir))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("local ECR: snapshot %s: %w", name, err), files.RemoveAll(dir))
	}
	return nil
}

// Restore puts the server into the state of a snapshot. Uploads that are not complete are cancelled. Faults, quotas, the
// clock and tokens that were issued remain as they are. The error wraps [ErrNoSnapshot] if there is none of this name, and
// [ErrSnapshotDamaged] if it is not whole: the server then is as it was.
func (s *Server) Restore(name string) (err error) {
	s.states.Lock()
	defer s.states.Unlock()
	defer func() { err = errors.Join(err, files.RemoveAll(s.preparedKeys())) }()
	var replaceKeys func() error
	dir, err := s.snapshotDir(name)
	if err == nil {
		replaceKeys, err = s.prepareKeys(filepath.Join(dir, "kms"))
	}
	if err == nil {
		err = s.store.Restore(dir)
	}
	if err == nil {
		err = replaceKeys()
	}
	if err != nil {
		return fmt.Errorf("local ECR: restore snapshot %s: %w", name, err)
	}
	return nil
}

// RemoveSnapshot removes a snapshot. The error wraps [ErrNoSnapshot] if there is none of this name.
func (s *Server) RemoveSnapshot(name string) error {
	s.states.Lock()
	defer s.states.Unlock()
	dir, err := s.snapshotDir(name)
	if err == nil {
		err = files.RemoveAll(dir)
	}
	if err != nil {
		return fmt.Errorf("local ECR: remove snapshot %s: %w", name, err)
	}
	return nil
}

// Snapshots returns the names of the snapshots, sorted.
func (s *Server) Snapshots() ([]string, error) {
	entries, err := os.ReadDir(s.snapshotsDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("local ECR: snapshots: %w", err)
	}
	names := []string{}
	for _, e := range entries {
		if snapshotName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (s *Server) snapshotsDir() string { return filepath.Join(s.dir, "snapshots") }

func (s *Server) snapshotDir(name string) (string, error) {
	dir := filepath.Join(s.snapshotsDir(), name)
	if !snapshotName.MatchString(name) {
		return "", ErrNoSnapshot
	}
	_, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNoSnapshot
	}
	return dir, err
}

// removeUnfinished removes what a process that was killed has left of snapshots and keys.
func (s *Server) removeUnfinished() error {
	var errs []error
	for _, dir := range []string{s.dir, s.snapshotsDir()} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), unfinished) {
				errs = append(errs, files.RemoveAll(filepath.Join(dir, e.Name())))
			}
		}
	}
	return errors.Join(errs...)
}

func (s *Server) keysDir() string { return filepath.Join(s.dir, "kms") }

// preparedKeys is where prepareKeys puts its copies, until they are used.
func (s *Server) preparedKeys() string { return filepath.Join(s.dir, unfinished+"kms") }

// prepareKeys copies the KMS keys in dir, none if it is "", and returns what puts them in the place of those that the server
// has. The caller removes what is left of the copies. The error wraps [ErrSnapshotDamaged] if a key cannot be read.
func (s *Server) prepareKeys(dir string) (replace func() error, err error) {
	prepared, old := s.preparedKeys(), filepath.Join(s.dir, unfinished+"kms-old")
	err = os.MkdirAll(prepared, 0o700)
	if err == nil && dir != "" {
		err = keys.Copy(dir, prepared)
	}
	if err == nil {
		if err = keys.Check(prepared, s.clock.Now); err != nil {
			err = fmt.Errorf("%w: %w", ErrSnapshotDamaged, err)
		}
	}
	if err == nil && s.sync {
		err = files.SyncTree(prepared)
	}
	if err != nil {
		return nil, err
	}
	return func() error {
		s.keysMu.Lock()
		defer s.keysMu.Unlock()
		err := files.Rename(s.keysDir(), old)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			err = files.Rename(prepared, s.keysDir())
		}
		if err == nil && s.sync {
			err = files.SyncDir(s.dir)
		}
		s.keyStores = map[string]*keys.Store{}
		return errors.Join(err, files.RemoveAll(old))
	}, nil
}
