package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/ecrkit/ecrkit/internal/files"
)

// ErrDamaged means that the database is not whole, as after a loss of power without [Options.Sync].
var ErrDamaged = errors.New("the database is damaged; remove the directory, or put a copy in its place")

// ErrInUse means that another process has the directory of the store open.
var ErrInUse = errors.New("in use by another process")

// Options of a store. The zero value is usable.
type Options struct {
	// Clock returns the time of the service; default time.Now.
	Clock func() time.Time
	// Limits are ECR's quotas on sizes and counts; default [DefaultLimits].
	Limits *Limits
	// SigningTime is how long managed signing takes.
	SigningTime time.Duration
	// SignPayload is asked when an image is signed, and says why it cannot be; default: it can.
	SignPayload func(profile, repository string) *SigningFailure
	// PreviewTime is how long the preview of a lifecycle policy takes.
	PreviewTime time.Duration
	// RestoreTime is how long it takes to restore an image from the archive.
	RestoreTime time.Duration
	// ScanTime is how long a scan takes whose fixture does not say so.
	ScanTime time.Duration
	// ReplicationTime is how long it takes until a pushed image is at a destination of replication.
	ReplicationTime time.Duration
	// ScanFixture returns what the scan of an image finds; nil, the default: nothing.
	ScanFixture func(repository, digest string, tags []string) *ScanFixture
	// DefaultKey returns the ARN of the KMS key that encrypts a repository unless another is named; default: an alias.
	DefaultKey func(account, region string) (string, error)
	// CheckKey fails if a KMS key with which a repository is to be encrypted does not exist; default: all do.
	CheckKey func(account, region, key string) error
	// IsUpstream reports whether a pull-through cache rule may name a host that is not one of Amazon ECR's upstream registries;
	// default: no.
	IsUpstream func(host string) bool
	// HasSecret reports whether AWS Secrets Manager has a secret; default: no.
	HasSecret func(arn string) bool
	// Quirks are answers of ECR that are not settled.
	Quirks Quirks
	// Sync makes all that is acknowledged survive a loss of power.
	Sync bool
}

// Quirks are answers of ECR that are not documented and of which little is known.
type Quirks struct {
	NoConfigAnnotations bool // a manifest is refused whose config descriptor has annotations
	EmptyIndex          bool // an index without entries is taken
	AnySize             bool // a descriptor's size may differ from that of its blob or manifest
	BuildKitArtifact    bool // an attestation of BuildKit is taken as an OCI artifact
}

// Limits are the quotas on sizes and counts that the rules enforce.
type Limits struct {
	PartSize             int64 // bytes of a layer part that InitiateLayerUpload asks for
	MinPart              int64 // bytes of every part but the last
	MaxPart              int64 // bytes of a part
	MaxParts             int   // parts of a layer
	MaxManifest          int   // bytes of a manifest
	TagsPerImage         int
	ImagesPerRepository  int
	Repositories         int           // of a registry
	UploadLifetime       time.Duration // of an upload after its last part
	UnassociatedLifetime time.Duration // of a layer that no image refers to
}

// DefaultLimits are AWS's own where they are documented (service quotas of Amazon ECR, API
// reference), and 24 hours for the two lifetimes, of which AWS only says that they end.
func DefaultLimits() Limits {
	return Limits{
		PartSize:             10 << 20,
		MinPart:              5 << 20,
		MaxPart:              20_971_520,
		MaxParts:             4_200,
		MaxManifest:          4 << 20,
		TagsPerImage:         1_000,
		ImagesPerRepository:  100_000,
		Repositories:         100_000,
		UploadLifetime:       24 * time.Hour,
		UnassociatedLifetime: 24 * time.Hour,
	}
}

// A Store holds the registries of several accounts and regions in one directory. Its methods, and
// those of its registries, may be called from several goroutines.
type Store struct {
	dir    string
	db     database
	clock  func() time.Time
	limits Limits

	signingTime     time.Duration
	previewTime     time.Duration
	restoreTime     time.Duration
	scanTime        time.Duration
	replicationTime time.Duration
	scanFixture     func(repository, digest string, tags []string) *ScanFixture
	signPayload     func(profile, repository string) *SigningFailure
	defaultKey      func(account, region string) (string, error)
	checkKey        func(account, region, key string) error
	isUpstream      func(host string) bool
	hasSecret       func(arn string) bool
	quirks          Quirks

	sync   bool // nothing is acknowledged before it is on the disk
	writer writer

	// blobs is held while a blob's file and the transaction that counts it change together: for reading by who adds them,
	// for writing by who removes or copies them.
	blobs sync.RWMutex

	mu      sync.Mutex
	uploads map[string]*upload // those touched since Open

	previews sync.Mutex // held while a preview is evaluated

	trims atomic.Uint64 // calls of trim
}

// The top of the database. Below a registry there are its repositories, below each its parts.
var (
	bucketRegistries = []byte("registries") // ACCOUNT/REGION → registry
	bucketBlobs      = []byte("blobs")      // digest → blobRecord
	bucketUploads    = []byte("uploads")    // upload ID → uploadRecord
	bucketSignings   = []byte("signings")   // time when it is due, number → signingJob

	bucketReplications = []byte("replications") // time when it is due, number → replicationJob

	bucketSettings     = []byte("settings")     // account setting → value
	bucketRepositories = []byte("repositories") // name → repository

	keyRecord       = []byte("record")    // repositoryRecord
	bucketLayers    = []byte("layers")    // digest → layerRecord
	bucketImages    = []byte("images")    // digest → imageRecord
	bucketManifests = []byte("manifests") // digest → the bytes
	bucketTags      = []byte("tags")      // tag → digest
	bucketUses      = []byte("uses")      // digest of a layer or child 0 digest of the image that names it
	bucketReferrers = []byte("referrers") // digest of a subject 0 digest of its referrer
)

// Open opens the store in dir, which it makes if it does not exist, and removes what a process that
// was killed has left. The caller closes it. The error wraps [ErrInUse] if another process has it, and [ErrDamaged] if a page
// of the database that it reads is not what it should be.
func Open(dir string, o Options) (_ *Store, err error) {
	var db *bolt.DB
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // where the file is shorter than its head says
	defer func() {
		if p := recover(); p != nil { // of the database, which panics then
			err = fmt.Errorf("local ECR data in %s: %w (%v)", dir, ErrDamaged, p)
			if db != nil {
				err = errors.Join(err, db.Close())
			}
		}
	}()
	s := &Store{dir: dir, clock: o.Clock, limits: DefaultLimits(), quirks: o.Quirks, uploads: map[string]*upload{}, sync: o.Sync}
	if s.clock == nil {
		s.clock = time.Now
	}
	s.signingTime, s.previewTime, s.restoreTime, s.scanTime = o.SigningTime, o.PreviewTime, o.RestoreTime, o.ScanTime
	s.replicationTime = o.ReplicationTime
	if s.scanFixture = o.ScanFixture; s.scanFixture == nil {
		s.scanFixture = func(string, string, []string) *ScanFixture { return nil }
	}
	if s.signPayload = o.SignPayload; s.signPayload == nil {
		s.signPayload = func(string, string) *SigningFailure { return nil }
	}
	if s.checkKey = o.CheckKey; s.checkKey == nil {
		s.checkKey = func(_, _, _ string) error { return nil }
	}
	if s.isUpstream = o.IsUpstream; s.isUpstream == nil {
		s.isUpstream = func(string) bool { return false }
	}
	if s.hasSecret = o.HasSecret; s.hasSecret == nil {
		s.hasSecret = func(string) bool { return false }
	}
	if s.defaultKey = o.DefaultKey; s.defaultKey == nil {
		s.defaultKey = func(account, region string) (string, error) {
			return fmt.Sprintf("arn:aws:kms:%s:%s:alias/aws/ecr", region, account), nil
		}
	}
	if o.Limits != nil {
		s.limits = *o.Limits
	}
	path := filepath.Join(dir, "metadata.db")
	if err := s.checkDirs(path); err != nil {
		return nil, fmt.Errorf("local ECR data: %w", err)
	}
	for _, d := range []string{dir, s.uploadsDir(), s.blobsDir()} {
		if err := s.makeDirs(d); err != nil {
			return nil, fmt.Errorf("local ECR data: %w", err)
		}
	}
	if o.Sync {
		if err := newDatabase(path); err != nil {
			return nil, fmt.Errorf("local ECR data in %s: %w", dir, err)
		}
	}
	db, err = bolt.Open(path, 0o600, &bolt.Options{
		Timeout: time.Second, NoSync: !o.Sync, NoGrowSync: !o.Sync, NoFreelistSync: true, FreelistType: bolt.FreelistMapType,
		OpenFile: files.OpenRegular, // whoever supplied the directory must not have another file written
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("local ECR data in %s: %w", dir, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("local ECR data in %s: %w", dir, damagedOr(err))
	}
	s.db, s.writer.db = database{db}, db
	if err = s.syncEarlier(); err == nil {
		err = s.createTop()
	}
	if err == nil {
		err = s.removeOrphans()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("local ECR data in %s: %w", dir, err), db.Close())
	}
	return s, nil
}

// checkDirs refuses a directory from which files would be removed that are not of a store: what its database does not name
// goes, and nothing may go where a link leads.
func (s *Store) checkDirs(database string) error {
	for _, d := range []string{s.uploadsDir(), filepath.Dir(s.blobsDir()), s.blobsDir()} {
		if err := files.CheckDirectory(d); err != nil {
			return err
		}
	}
	if _, err := os.Lstat(database); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, d := range []string{s.uploadsDir(), s.blobsDir()} {
		entries, err := os.ReadDir(d)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if len(entries) > 0 {
			return fmt.Errorf("%s has files, but there is no %s: it is not the data of a local ECR; name a new or empty directory", d, filepath.Base(database))
		}
	}
	return nil
}

// damagedOr returns the error of opening a database: [ErrDamaged] if the file is not one, or is of another version.
func damagedOr(err error) error {
	for _, damaged := range []error{bolterrors.ErrInvalid, bolterrors.ErrVersionMismatch, bolterrors.ErrChecksum} {
		if errors.Is(err, damaged) {
			return fmt.Errorf("%w (metadata.db: %w)", ErrDamaged, err)
		}
	}
	return err
}

// createTop makes the top of a new database.
func (s *Store) createTop() error {
	missing := false
	err := s.db.View(func(tx *bolt.Tx) error {
		missing = slices.ContainsFunc(topBuckets, func(name []byte) bool { return tx.Bucket(name) == nil })
		return nil
	})
	if err != nil || !missing {
		return err
	}
	return s.db.Update(createTopBuckets)
}

// Close waits for running transactions and closes the store.
func (s *Store) Close() error {
	// The list of free pages costs more with each transaction, the more there are. It is written at the end alone: without
	// it, as after a kill, Open reads the whole database to find them.
	s.db.NoFreelistSync = false
	err := s.db.Update(func(*bolt.Tx) error { return nil })
	if err = errors.Join(err, s.db.Close()); err != nil {
		return fmt.Errorf("local ECR data in %s: %w", s.dir, err)
	}
	return nil
}

// Registry is the registry of an account in a region. It comes into being with its first repository.
func (s *Store) Registry(account, region string) *Registry {
	return &Registry{store: s, account: account, region: region}
}

// A Registry is one account's in one region. It has ECR's operations as methods.
type Registry struct {
	store   *Store
	account string // 12 digits
	region  string
	host    string // see At
}

// At returns the registry as a client reaches it under a host name, with port, which begins the URIs of repositories.
// Without one they are left out.
func (r *Registry) At(host string) *Registry {
	at := *r
	at.host = host
	return &at
}

// bucket returns the registry's bucket, or nil in a read-only transaction when there is none.
func (r *Registry) bucket(tx *bolt.Tx) (*bolt.Bucket, error) {
	key := []byte(r.account + "/" + r.region)
	if b := tx.Bucket(bucketRegistries).Bucket(key); b != nil || !tx.Writable() {
		return b, nil
	}
	b, err := tx.Bucket(bucketRegistries).CreateBucket(key)
	if err != nil {
		return nil, err
	}
	for _, sub := range [][]byte{bucketSettings, bucketRepositories} {
		if _, err := b.CreateBucket(sub); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (r *Registry) now() time.Time { return r.store.clock().UTC().Truncate(time.Millisecond) }

// getJSON reads the value of key into v and reports whether there is one.
func getJSON(b *bolt.Bucket, key []byte, v any) (bool, error) {
	data := b.Get(key)
	if data == nil {
		return false, nil
	}
	return true, parseJSON(key, data, v)
}

// parseJSON reads the record of a key.
func parseJSON(key, data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("record %s: %w", key, err)
	}
	return nil
}

func putJSON(b *bolt.Bucket, key []byte, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("record %s: %w", key, err)
	}
	return b.Put(key, data)
}

// countUp keeps the number of a bucket's members in the bucket's sequence, so that a quota on it
// costs no walk over them.
func countUp(b *bolt.Bucket, n int) error { return b.SetSequence(b.Sequence() + uint64(n)) }

// pairKey is the key of a relation between two digests; see bucketUses.
func pairKey(a, b string) []byte { return []byte(a + "\x00" + b) }
