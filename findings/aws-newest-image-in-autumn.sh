#!/usr/bin/env bash
# When the clocks go back, the AWS CLI's recipe for the newest image returns an older one, depending on the time zone of
# the machine.
#
# Guess:   "aws ecr describe-images --query 'sort_by(imageDetails,&imagePushedAt)[-1]'" sorts by time.
# Because: imagePushedAt is a timestamp, a number of seconds in the service's answer, and numbers have one order.
# Really:  the AWS CLI turns timestamps into text in the machine's time zone before the query runs, and sort_by
#          compares the text. "02:10:00+01:00" sorts before "02:50:00+02:00" although it is 20 minutes later. For an
#          hour a year, and for as long as no newer image is pushed, a job deploys the image before. TZ=UTC prevents
#          it, as does cli_timestamp_format = wire, which leaves the number.
# Seen:    2026-11-30, AWS CLI 2.9.19 (Debian 12) and Python's http.server as Amazon ECR
# Output:  pushed, Berlin: 2026-10-25T02:50:00+02:00 2026-10-25T02:10:00+01:00
#          newest, Berlin: before
#          newest, UTC: after
#          newest, Berlin, wire: after
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
import http.server
# 00:50 and 01:10 UTC on the day when Europe's clocks go back
body = b'{"imageDetails": [{"imageTags": ["before"], "imagePushedAt": 1792889400}, {"imageTags": ["after"], "imagePushedAt": 1792890600}]}'
class ECR(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers['Content-Length']))
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
mkdir .aws
: > .aws/config
images() { # time zone, query
	env -i PATH="$PATH" HOME="$dir" TZ="$1" AWS_REGION=eu-west-1 AWS_ACCESS_KEY_ID=AKIAEXAMPLE AWS_SECRET_ACCESS_KEY=example \
		PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" /usr/bin/python3 root/usr/bin/aws ecr describe-images \
		--endpoint-url "http://127.0.0.1:$(cat port)" --repository-name app --output text --query "$2" | paste -sd ' '
}
want() { # what, got, expected
	echo "$1: $2"
	if [ "$2" != "$3" ]; then echo "CHANGED, expected: $3"; exit 1; fi
}
europe='CET-1CEST,M3.5.0,M10.5.0/3' # Europe/Berlin, for machines without a time zone database
newest='sort_by(imageDetails,&imagePushedAt)[-1].imageTags[0]'
want 'pushed, Berlin' "$(images "$europe" 'imageDetails[].[imagePushedAt]')" '2026-10-25T02:50:00+02:00 2026-10-25T02:10:00+01:00'
want 'newest, Berlin' "$(images "$europe" "$newest")" before
want 'newest, UTC' "$(images UTC "$newest")" after
printf '[default]\ncli_timestamp_format = wire\n' > .aws/config
want 'newest, Berlin, wire' "$(images "$europe" "$newest")" after
