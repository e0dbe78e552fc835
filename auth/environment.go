package auth

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/ecrkit/ecrkit/internal/startup"
)

// Environment looks up an environment variable, as [os.LookupEnv] does.
type Environment func(key string) (string, bool)

// get returns the value of the first of keys that is not empty. A nil Environment is the
// process's own.
func (env Environment) get(keys ...string) string {
	for _, key := range keys {
		if value, _ := env.lookup(key); value != "" {
			return value
		}
	}
	return ""
}

func (env Environment) lookup(key string) (string, bool) {
	if env == nil {
		return os.LookupEnv(key)
	}
	return env(key)
}

// home returns the user's home directory as the AWS SDK finds it, or "". A relative
// one does not count: anybody may have put files into the working directory.
func (env Environment) home() string {
	if home := env.get(startup.HomeVariable); filepath.IsAbs(home) {
		return home
	}
	if current, err := user.Current(); err == nil && filepath.IsAbs(current.HomeDir) {
		return current.HomeDir
	}
	return ""
}

// inHome returns a path in the AWS directory of the user's home directory. Without
// one it fails.
func (env Environment) inHome(elements ...string) (string, error) {
	home := env.home()
	if home == "" {
		return "", errors.New("there is no home directory; set " + startup.HomeVariable)
	}
	return filepath.Join(slices.Insert(elements, 0, home, ".aws")...), nil
}

// identity names the variable that chooses an AWS identity, in the SDK's order,
// or is "".
func (env Environment) identity() string {
	switch {
	case env.get(OIDCRoleVariable) != "":
		return OIDCRoleVariable
	case env.get("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY") != "" && env.get("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY") != "":
		return "AWS_ACCESS_KEY_ID"
	case env.get("AWS_WEB_IDENTITY_TOKEN_FILE") != "":
		return "AWS_WEB_IDENTITY_TOKEN_FILE"
	case env.get("AWS_PROFILE") != "":
		return "AWS_PROFILE"
	case env.get("AWS_DEFAULT_PROFILE") != "":
		return "AWS_DEFAULT_PROFILE"
	}
	return ""
}

// sdk reads what config.NewEnvConfig reads of the process's environment, as far
// as it bears on credentials and endpoints. That the two agree is tested.
func (env Environment) sdk() (config.EnvConfig, error) {
	var c config.EnvConfig
	keys := aws.Credentials{
		AccessKeyID:     env.get("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"),
		SecretAccessKey: env.get("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"),
		Source:          config.CredentialsSourceName,
	}
	if keys.HasKeys() {
		keys.AccountID = env.get("AWS_ACCOUNT_ID")
		keys.SessionToken = env.get("AWS_SESSION_TOKEN")
		c.Credentials = keys
	}
	c.ContainerCredentialsEndpoint = env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	c.ContainerCredentialsRelativePath = env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
	c.ContainerAuthorizationToken = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	c.SharedConfigProfile = env.get("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
	c.SharedCredentialsFile = env.get("AWS_SHARED_CREDENTIALS_FILE")
	c.SharedConfigFile = env.get("AWS_CONFIG_FILE")
	c.WebIdentityTokenFilePath = env.get("AWS_WEB_IDENTITY_TOKEN_FILE")
	c.RoleARN = env.get("AWS_ROLE_ARN")
	c.RoleSessionName = env.get("AWS_ROLE_SESSION_NAME")
	c.EC2IMDSEndpoint = env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT")
	c.BaseEndpoint = env.get("AWS_ENDPOINT_URL")

	for key, set := range map[string]func(bool){
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": func(v bool) { c.IgnoreConfiguredEndpoints = &v },
		"AWS_USE_FIPS_ENDPOINT": func(v bool) {
			c.UseFIPSEndpoint = aws.FIPSEndpointStateDisabled
			if v {
				c.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
			}
		},
		"AWS_USE_DUALSTACK_ENDPOINT": func(v bool) {
			c.UseDualStackEndpoint = aws.DualStackEndpointStateDisabled
			if v {
				c.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
			}
		},
	} {
		switch value := env.get(key); {
		case value == "":
		case strings.EqualFold(value, "true"):
			set(true)
		case strings.EqualFold(value, "false"):
			set(false)
		default:
			return c, fmt.Errorf("%s=%s is neither true nor false", key, value)
		}
	}
	return c, nil
}

// sharedFiles returns the paths of the AWS config files and credentials files. The
// lists are empty, never nil, without a home directory.
func (env Environment) sharedFiles(c config.EnvConfig) (configFiles, credentialsFiles []string) {
	list := func(chosen, name string) []string {
		if chosen != "" {
			return []string{chosen}
		}
		path, err := env.inHome(name)
		if err != nil {
			return []string{}
		}
		return []string{path}
	}
	return list(c.SharedConfigFile, "config"), list(c.SharedCredentialsFile, "credentials")
}
