#!/usr/bin/env bash
# Sigstore's npm package for registries (it attaches attestations in GitHub's "attest" action) reads one file of logins
# and knows no credential helper, so it can't find what docker finds.
#
# Guess:   where "docker pull" works, getRegistryCredentials of @sigstore/oci has the same login: from DOCKER_CONFIG, from
#          the helper of the host in credHelpers, from credsStore.
# Because: it is documented as taking the credentials from the Docker config file, and helpers are how that file is used
#          with Amazon ECR (docker-credential-ecr-login) and with Docker Desktop.
# Really:  it reads ~/.docker/config.json whatever DOCKER_CONFIG says, and only "auth" below auths. With a helper alone,
#          the message is that no credentials exist. After a "docker login" with a credsStore, the entry below auths is
#          {}, and the message is a TypeError about "the first argument". A job needs a login that writes the password
#          into ~/.docker/config.json.
# Seen:    2026-11-30, @sigstore/oci 0.7.2, Node.js 20
# Output:  auth in the file: robot
#          credHelpers: No credentials found for registry registry.example.com
#          credsStore: TypeError
#          file in DOCKER_CONFIG: No credential file found
#          helpers started: 0
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" @sigstore/oci@0.7.2 > npm.log 2>&1 || { cat npm.log; exit 1; }
node -p "'@sigstore/oci ' + require('./node_modules/@sigstore/oci/package.json').version + ', Node.js ' + process.version"
cat > who.js <<'EOF'
const { getRegistryCredentials } = require('@sigstore/oci')
try {
  console.log(getRegistryCredentials('registry.example.com/team/app').username)
} catch (error) {
  console.log(error instanceof TypeError ? 'TypeError' : error.message.replace(/ at .*/, ''))
}
EOF
mkdir -p bin .docker other
cat > bin/docker-credential-cloud <<'EOF'
#!/bin/sh
echo "$1" >> "$HOME/started"
echo '{"ServerURL":"registry.example.com","Username":"cloud","Secret":"example"}'
EOF
chmod +x bin/docker-credential-cloud
: > started
who() { env -i PATH="$dir/bin:$PATH" HOME="$dir" "$@" node who.js; }
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
auth=$(printf robot:example | base64)
echo '{"auths":{"registry.example.com":{"auth":"'"$auth"'"}}}' > .docker/config.json
want 'auth in the file' "$(who)" robot
echo '{"credHelpers":{"registry.example.com":"cloud"}}' > .docker/config.json
want credHelpers "$(who)" 'No credentials found for registry registry.example.com'
echo '{"auths":{"registry.example.com":{}},"credsStore":"cloud"}' > .docker/config.json
want credsStore "$(who)" TypeError
rm .docker/config.json
echo '{"auths":{"registry.example.com":{"auth":"'"$auth"'"}}}' > other/config.json
want 'file in DOCKER_CONFIG' "$(who DOCKER_CONFIG="$dir/other")" 'No credential file found'
want 'helpers started' "$(wc -l < started)" 0
