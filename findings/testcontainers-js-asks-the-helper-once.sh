#!/usr/bin/env bash
# The testcontainers package for Node.js asks a credential helper once in a process, and remembers a failure for ever.
#
# Guess:   a helper that fails is an error. After the next login the helper is asked again, and before a token's end too.
# Because: the Docker CLI and the other packages ask the helper for each pull. Where a helper cannot be started, this
#          package reports it, and the cache is documented nowhere.
# Really:  a helper that exits with 1, because the session with AWS has expired, is taken for "no login", without a
#          message: the image is pulled without one, and the registry answers that it needs one. That and a token are
#          both kept for each host until the process ends. A test runner that watches files goes on failing after
#          "aws sso login", and one that runs for more than twelve hours goes on with the token of its first pull.
# Seen:    2026-12-01, testcontainers 12.2.0, Node.js 20; the helper is a script that counts its calls
# Output:  helper fails: no login, no message
#          helper works again, same process: no login, no message
#          helper works, new process: AWS token-2
#          helper has a new token, same process: AWS token-2
#          calls of the helper: 2
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" testcontainers@12.2.0 > npm.log 2>&1 || { cat npm.log; exit 1; }
node -p "'testcontainers ' + require('./node_modules/testcontainers/package.json').version + ', Node.js ' + process.version"
mkdir bin .docker
cat > bin/docker-credential-example <<'EOM'
#!/bin/sh
cat > /dev/null
echo call >> "$HOME/calls"
if [ -e "$HOME/expired" ]; then echo 'the session has expired' >&2; exit 1; fi
echo "{\"Username\": \"AWS\", \"Secret\": \"token-$(wc -l < "$HOME/calls")\"}"
EOM
chmod +x bin/docker-credential-example
echo '{"credHelpers": {"registry.example.com": "example"}}' > .docker/config.json
cat > main.js <<'EOM'
// The function that every pull of the package calls.
const { getAuthConfig } = require('./node_modules/testcontainers/build/container-runtime/auth/get-auth-config.js')
const fs = require('fs')
const show = async () => {
  const login = await getAuthConfig('registry.example.com')
  console.log(login ? `${login.username} ${login.password}` : 'no login, no message')
}
show().then(() => {
  fs.rmSync('expired', { force: true }) // the user logs in again
  return show()
})
EOM
: > calls
clean() { env -i PATH="$dir/bin:$PATH" HOME="$dir" "$@" 2>&1; }
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
: > expired
clean node main.js > first
want 'helper fails' "$(sed -n 1p first)" 'no login, no message'
want 'helper works again, same process' "$(sed 1d first)" 'no login, no message'
clean node main.js > second
want 'helper works, new process' "$(sed -n 1p second)" 'AWS token-2'
want 'helper has a new token, same process' "$(sed 1d second)" 'AWS token-2'
want 'calls of the helper' "$(wc -l < calls)" 2
