#!/usr/bin/env bash
# "aws ecr describe-images --query … --output text" runs the query once for each page: the newest image of a large
# repository is two lines, and a count is two numbers.
#
# Guess:   --output says how the result of --query is printed. The newest image by sort_by(imageDetails,&imagePushedAt)[-1]
#          is the same with json and with text, and --max-items 1 prints one item.
# Because: the CLI collects all pages by itself, and json and yaml print one result for all of them.
# Really:  with text, each page is queried and printed alone. A page of Amazon ECR has 100 images, so the recipe works
#          until a repository has more; then $(…) is two tags, and either can be the newer one. A count in a test such
#          as -gt fails or is cut. With --max-items a line "None" follows: the query is applied to the token for the
#          rest, too. --output json with jq -r has the one answer.
# Seen:    2026-11-30, AWS CLI 2.9.19 (Debian 12) and Python's http.server as Amazon ECR, with pages of 2 images
# Output:  newest, json: "1.2"
#          newest, text: 1.1 1.2
#          count, json: 4
#          count, text: 2 2
#          first of --max-items 1, json: "1.0"
#          first of --max-items 1, text: 1.0 None
set -euo pipefail
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download awscli=2.9.19-1 python3-awscrt python3-colorama python3-dateutil \
	python3-distro python3-docutils python3-jmespath python3-prompt-toolkit python3-roman python3-ruamel.yaml \
	python3-ruamel.yaml.clib python3-six python3-urllib3 python3-wcwidth
for package in *.deb; do dpkg -x "$package" root; done
cat > ecr.py <<'EOF'
import http.server, json
pages = [{'1.0': 1790000000, '1.1': 1790000100}, {'0.9': 1780000000, '1.2': 1790000200}]
class ECR(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        page = int(request.get('nextToken', 0))
        answer = {'imageDetails': [{'imageTags': [tag], 'imagePushedAt': at} for tag, at in pages[page].items()]}
        if page + 1 < len(pages):
            answer['nextToken'] = str(page + 1)
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/x-amz-json-1.1')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
server = http.server.HTTPServer(('127.0.0.1', 0), ECR)
print(server.server_port, flush=True)
server.serve_forever()
EOF
/usr/bin/python3 ecr.py > port &
pid=$!
for _ in {1..100}; do [ ! -s port ] || break; sleep 0.1; done
aws() {
	env -i PATH="$PATH" HOME="$dir" AWS_REGION=eu-west-1 AWS_ACCESS_KEY_ID=AKIAEXAMPLE AWS_SECRET_ACCESS_KEY=example \
		PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" /usr/bin/python3 root/usr/bin/aws "$@"
}
images() { # output, query and other arguments
	aws ecr describe-images --endpoint-url "http://127.0.0.1:$(cat port)" --repository-name app --output "$1" --query "${@:2}" | paste -sd ' '
}
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
aws --version
newest='sort_by(imageDetails,&imagePushedAt)[-1].imageTags[0]'
want 'newest, json' "$(images json "$newest")" '"1.2"'
want 'newest, text' "$(images text "$newest")" '1.1 1.2'
want 'count, json' "$(images json 'length(imageDetails)')" 4
want 'count, text' "$(images text 'length(imageDetails)')" '2 2'
want 'first of --max-items 1, json' "$(images json 'imageDetails[0].imageTags[0]' --max-items 1)" '"1.0"'
want 'first of --max-items 1, text' "$(images text 'imageDetails[0].imageTags[0]' --max-items 1)" '1.0 None'
