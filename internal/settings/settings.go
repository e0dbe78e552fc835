// Package settings reads what configures both programs apart from flags: the
// environment (ECRKIT_*, and the AWS_ECR_* of Amazon's own credential helper)
// and, after it, the configuration file.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/auth/tokenstore"
	"github.com/ecrkit/ecrkit/internal/files"
	"github.com/ecrkit/ecrkit/internal/plaintext"
	"github.com/ecrkit/ecrkit/internal/startup"
	"github.com/ecrkit/ecrkit/internal/strictyaml"
)

// Settings are those of the environment and the configuration file.
type Settings struct {
	Registries auth.Registries
	// Fallback is the docker credential helper for hosts that are not ECR,
	// "desktop" for docker-credential-desktop, or "".
	Fallback string
	// CacheDir is where tokens are kept; if it is "", NoCache is the reason.
	CacheDir string
	NoCache  string
	// Keychain is the docker credential helper that holds the key with which the
	// tokens are encrypted; "" keeps them in clear, readable by the user alone.
	Keychain string
	// IgnoreStore makes the storing of credentials succeed in silence, whatever
	// the host: AWS_ECR_IGNORE_CREDS_STORAGE=true.
	IgnoreStore bool
	// StateDir is where uploads that have begun are noted; "" is nowhere.
	StateDir string
	// Transfer has the limits of transfers.
	Transfer Transfer
	// TokenServers are the hosts of token servers by that of the registry outside Amazon
	// ECR whose credentials they may get.
	TokenServers map[string]string
	// Policy is the path of the signature policy, or "".
	Policy string
	// File is the path of the configuration file, whether it exists or not.
	File string
}

// file is the configuration file.
type file struct {
	Registries []rule `yaml:"registries"`
	Fallback   string `yaml:"fallback"`
	Cache      struct {
		Dir      string `yaml:"dir"`
		Disabled bool   `yaml:"disabled"`
		Keychain string `yaml:"keychain"`
	} `yaml:"cache"`
	Transfer     Transfer          `yaml:"transfer"`
	Policy       string            `yaml:"policy"`
	TokenServers map[string]string `yaml:"token_servers"`
}

type rule struct {
	Host              string `yaml:"host"`
	Profile           string `yaml:"profile"`
	RoleARN           string `yaml:"role_arn"`
	ExternalID        string `yaml:"external_id"`
	OIDCRoleARN       string `yaml:"oidc_role_arn"`
	Region            string `yaml:"region"`
	RegistryID        string `yaml:"registry_id"`
	Endpoint          string `yaml:"endpoint"`
	CacheIdentity     string `yaml:"cache_identity"`
	Disabled          bool   `yaml:"disabled"`
	IgnoreEnvironment bool   `yaml:"ignore_environment"`
}

// maxFile bounds the configuration file, in bytes.
const maxFile = 1 << 20

// Load reads the settings. env looks up an environment variable as os.LookupEnv
// does. An error names the variable, or the file with the line.
func Load(env startup.Environment) (Settings, error) {
	s := Settings{File: env.ConfigFile()}
	if chosen := env.Get("ECRKIT_CONFIG"); s.File == "" && chosen != "" {
		return s, fmt.Errorf("ECRKIT_CONFIG=%s: %w", chosen, errNoHome)
	}
	f, err := read(s.File)
	if err != nil {
		return s, fmt.Errorf("%s: %w", s.File, err)
	}
	for i := range f.Registries {
		r := auth.Rule(f.Registries[i])
		if err := r.Validate(); err != nil {
			return s, fmt.Errorf("%s: registries: rule %d: %w", s.File, i+1, err)
		}
		s.Registries.Rules = append(s.Registries.Rules, r)
	}
	if s.Registries.Mapping, err = auth.ParseMapping(env.Get(auth.MappingVariable)); err != nil {
		return s, fmt.Errorf("%s: %w", auth.MappingVariable, err)
	}
	if s.Fallback = f.Fallback; s.Fallback != "" {
		if err := checkHelper(s.Fallback); err != nil {
			return s, fmt.Errorf("%s: fallback: %w", s.File, err)
		}
	}
	if s.Keychain = f.Cache.Keychain; s.Keychain != "" {
		if err := checkHelper(s.Keychain); err != nil {
			return s, fmt.Errorf("%s: cache.keychain: %w", s.File, err)
		}
	}
	if s.Transfer, err = f.Transfer.with(env); err != nil {
		return s, err
	}
	if err := s.policy(env, f); err != nil {
		return s, err
	}
	if s.TokenServers, err = tokenServers(s.File, f.TokenServers, env); err != nil {
		return s, err
	}
	s.StateDir = env.StateDir()
	s.IgnoreStore = env.Get("AWS_ECR_IGNORE_CREDS_STORAGE") == "true"
	return s, s.cache(env, f)
}

func read(path string) (f file, err error) {
	if path == "" {
		return f, nil
	}
	data, err := files.Read(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return f, errors.New("permission denied; if that is not your home directory, set " + startup.HomeVariable + " to yours, or ECRKIT_CONFIG to another file")
	}
	if err != nil {
		return f, err
	}
	return parse(data)
}

func parse(data []byte) (f file, err error) {
	err = strictyaml.Decode(plaintext.NewReader(bytes.NewReader(data)), &f)
	return f, err
}

// checkHelper refuses names that are no docker credential helper's, and our own.
func checkHelper(name string) error {
	switch {
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "":
		return fmt.Errorf("%q is not the name of a docker credential helper; write pass for docker-credential-pass", name)
	case strings.HasPrefix(name, "docker-credential-"):
		return fmt.Errorf("%q: leave out docker-credential-", name)
	case name == "ecrkit" || name == "ecr-login":
		return fmt.Errorf("%q is this program itself, or another for the same hosts", name)
	}
	return nil
}

var errNoHome = errors.New("there is no home directory; set " + startup.HomeVariable)

// disableCache turns the cache off, by any value, as it does in Amazon's own helper.
const disableCache = "AWS_ECR_DISABLE_CACHE"

// cache sets the directory of the token cache.
func (s *Settings) cache(env startup.Environment, f file) error {
	chosen, usual, value := env.ChosenCache(), env.DefaultCache(), env.Get(disableCache)
	switch {
	case value != "":
		s.NoCache = disableCache + " is set"
		if yes, err := strconv.ParseBool(value); err != nil || !yes {
			s.NoCache = fmt.Sprintf("%s is set to %.40q: any value turns the cache off", disableCache, value)
		}
	case chosen != "":
		s.CacheDir = chosen
	case f.Cache.Disabled:
		s.NoCache = "disabled in " + s.File
	case f.Cache.Dir != "":
		if s.CacheDir = env.Expand(f.Cache.Dir); s.CacheDir == "" {
			return fmt.Errorf("%s: cache.dir %s: %w", s.File, f.Cache.Dir, errNoHome)
		}
	case usual != "":
		s.CacheDir = usual
	default:
		s.NoCache = "there is no home directory; set ECRKIT_CACHE_DIR"
	}
	return nil
}

// policy sets the path of the policy. The file names one that holds wherever ecrkit
// is called: a relative path there begins where the file is.
func (s *Settings) policy(env startup.Environment, f file) error {
	switch chosen := env.Get("ECRKIT_POLICY"); {
	case chosen != "":
		if s.Policy = env.Expand(chosen); s.Policy == "" {
			return fmt.Errorf("ECRKIT_POLICY=%s: %w", chosen, errNoHome)
		}
	case f.Policy != "":
		if s.Policy = env.Expand(f.Policy); s.Policy == "" {
			return fmt.Errorf("%s: policy %s: %w", s.File, f.Policy, errNoHome)
		}
		if !filepath.IsAbs(s.Policy) {
			s.Policy = filepath.Join(filepath.Dir(s.File), s.Policy)
		}
	}
	return nil
}

// Tokens makes the source of tokens that the settings describe.
func (s Settings) Tokens(env startup.Environment, logger *slog.Logger) *auth.Tokens {
	tokens := &auth.Tokens{Logger: logger}
	tokens.Minter.AWS.Env = auth.Environment(env)
	tokens.Minter.AWS.Registries = s.Registries
	if s.CacheDir == "" {
		if s.NoCache != "" && !strings.HasPrefix(s.NoCache, disableCache) {
			logger.Debug("tokens are not kept", "reason", s.NoCache)
		}
		return tokens
	}
	tokens.Store = &tokenstore.Store{Dir: s.CacheDir}
	if s.Keychain != "" {
		tokens.Store.Sealer = &tokenstore.Keychain{Name: s.Keychain, Dir: s.CacheDir}
	}
	return tokens
}
