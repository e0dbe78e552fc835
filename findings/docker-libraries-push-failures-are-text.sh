#!/usr/bin/env bash
# A push or pull that fails halfway is a success to Docker's packages for Node.js and Python: the error is only a text in
# the output.
#
# Guess:   followProgress of dockerode calls back with the error when a pull, push or build has failed. images.push() and
#          images.pull() of the docker package for Python raise it.
# Because: dockerode's README rejects its promise on that callback's "err" and says "Build has finished" otherwise, both
#          packages have exception types, images.pull() returns an image, and images.build() does raise.
# Really:  the engine answers 200 before it talks to the registry, and sends the error as a line of the stream. dockerode
#          calls back with null. images.push() returns the lines as text. images.pull() drops them and looks up the
#          name: if an older image has it, that one is returned. So a release job is green although the registry denied
#          the push, and a job that pulls "app:latest" while the registry throttles runs the image of last week.
# Seen:    2026-11-30, dockerode 5.0.1, Node.js 20, docker 5.0.3 for Python (Debian 12); the script plays the engine
# Output:  Node.js, push: err null, last line: denied
#          Node.js, pull: err null, last line: toomanyrequests
#          Python, push: no exception, last line: denied
#          Python, pull: no exception, image: sha256:old
#          Python, build: BuildError
set -euo pipefail
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download python3-docker=5.0.3-1 python3-websocket python3-six python3-urllib3 \
	python3-requests python3-chardet python3-idna python3-certifi
for package in *.deb; do dpkg -x "$package" root; done
npm install --silent --no-audit --no-fund --prefix "$dir" dockerode@5.0.1 > npm.log 2>&1 || { cat npm.log; exit 1; }
node -p "'dockerode ' + require('./node_modules/dockerode/package.json').version + ', Node.js ' + process.version"
cat > engine.js <<'EOM'
const fail = { '/push': 'denied', '/create': 'toomanyrequests', '/build': 'no space left on device' }
const server = require('http').createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    response.setHeader('Content-Type', 'application/json')
    const path = new URL(request.url, 'http://engine').pathname
    const end = Object.keys(fail).find(end => path.endsWith(end))
    if (end) {
      const line = { errorDetail: { message: fail[end] }, error: fail[end] }
      response.end(JSON.stringify({ status: 'working' }) + '\r\n' + JSON.stringify(line) + '\r\n')
    } else {
      response.end(JSON.stringify({ Id: 'sha256:old', RepoTags: ['registry.example.com/app:latest'] })) // the image of last week
    }
  })
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
EOM
cat > main.js <<'EOM'
const Docker = require('dockerode')
const docker = new Docker({ protocol: 'http', host: '127.0.0.1', port: process.env.PORT })
const actions = {
  push: () => docker.getImage('registry.example.com/app').push({ tag: 'latest' }),
  pull: () => docker.pull('registry.example.com/app:latest')
}
actions[process.argv[2]]().then(stream => docker.modem.followProgress(stream, (err, output) => {
  console.log(`err ${err}, last line: ${output.pop().error}`)
}))
EOM
cat > main.py <<'EOM'
import docker, io, json, os, sys
client = docker.DockerClient(base_url='tcp://127.0.0.1:' + os.environ['PORT'], version='1.41')
try:
    if sys.argv[1] == 'push':
        text = client.images.push('registry.example.com/app', 'latest')
        print('no exception, last line:', json.loads(text.strip().split('\n')[-1])['error'])
    elif sys.argv[1] == 'pull':
        print('no exception, image:', client.images.pull('registry.example.com/app', 'latest').id)
    else:
        client.images.build(fileobj=io.BytesIO(b'FROM registry.example.com/app\n'))
except docker.errors.DockerException as error:
    print(type(error).__name__)
EOM
: > port
node engine.js > port &
pid=$!
for _ in {1..300}; do
	[ ! -s port ] || break
	sleep 0.1
done
clean() { env -i PATH="$PATH" HOME="$dir" PORT="$(cat port)" PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" "$@"; }
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
want 'Node.js, push' "$(clean node main.js push)" 'err null, last line: denied'
want 'Node.js, pull' "$(clean node main.js pull)" 'err null, last line: toomanyrequests'
want 'Python, push' "$(clean /usr/bin/python3 main.py push)" 'no exception, last line: denied'
want 'Python, pull' "$(clean /usr/bin/python3 main.py pull)" 'no exception, image: sha256:old'
want 'Python, build' "$(clean /usr/bin/python3 main.py build)" BuildError
