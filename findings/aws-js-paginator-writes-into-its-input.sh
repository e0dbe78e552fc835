#!/usr/bin/env bash
# The second loop over the images of a repository begins at the last page, if both paginators got the same input object.
#
# Guess:   "for await (const page of paginateListImages({ client }, input))" reads all pages, each time that it runs. The
#          input says what is asked for, and belongs to the caller.
# Because: client.send and the commands leave their input alone, and the SDK for Go copies the input of a paginator, so
#          the same loop in Go sees all images each time.
# Really:  the SDK for JavaScript writes the token of each page into the caller's object, and reads the first token from
#          it. After a loop the object asks for the last page. A job that keeps { repositoryName: 'app' } as a constant
#          and looks for images every hour sees all of them once, and then only the last page: no error. A loop that
#          stops at the first match goes on from that page.
# Seen:    2026-11-30, @aws-sdk/client-ecr 3.1169.0, Node.js 20, Go 1.26.8, aws-sdk-go-v2 v1.47.8, service/ecr v1.67.4;
#          the script plays ECR, with three pages
# Output:  JavaScript: t1 t2 t3
#          JavaScript, again with the same input: t3
#          JavaScript, the input afterwards: {"repositoryName":"app","nextToken":"3"}
#          JavaScript, with a new input: t1 t2 t3
#          Go: t1 t2 t3
#          Go, again with the same input: t1 t2 t3
set -euo pipefail
export GOFLAGS=-mod=mod GOTOOLCHAIN=local
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" @aws-sdk/client-ecr@3.1169.0 > npm.log 2>&1 || { cat npm.log; exit 1; }
cat > go.mod <<'EOM'
module finding

go 1.26

require (
	github.com/aws/aws-sdk-go-v2 v1.47.8
	github.com/aws/aws-sdk-go-v2/credentials v1.20.15
	github.com/aws/aws-sdk-go-v2/service/ecr v1.67.4
)
EOM
cat > main.go <<'EOM'
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
)

func main() {
	client := ecr.New(ecr.Options{
		Region:       "eu-west-1",
		BaseEndpoint: aws.String(os.Args[1]),
		Credentials:  credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "example", ""),
	})
	input := &ecr.ListImagesInput{RepositoryName: aws.String("app")}
	for range 2 {
		separator := ""
		for pages := ecr.NewListImagesPaginator(client, input); pages.HasMorePages(); separator = " " {
			page, err := pages.NextPage(context.Background())
			if err != nil {
				panic(err)
			}
			fmt.Print(separator, *page.ImageIds[0].ImageTag)
		}
		fmt.Println()
	}
}
EOM
go build -o finding .
grep -v indirect go.mod | grep ' v[0-9]'
node -p "'@aws-sdk/client-ecr ' + require('./node_modules/@aws-sdk/client-ecr/package.json').version + ', Node.js ' + process.version"
cat > main.js <<'EOM'
const { ECRClient, paginateListImages } = require('@aws-sdk/client-ecr')
const { execFile } = require('child_process')
const server = require('http').createServer((request, response) => {
  let body = ''
  request.on('data', data => { body += data })
  request.on('end', () => {
    const page = Number(JSON.parse(body).nextToken ?? 1)
    response.setHeader('Content-Type', 'application/x-amz-json-1.1')
    response.end(JSON.stringify({ imageIds: [{ imageTag: 't' + page }], nextToken: page < 3 ? String(page + 1) : undefined }))
  })
})
const want = (what, got, wanted) => {
  console.log(`${what}: ${got}`)
  if (got !== wanted) {
    console.log(`CHANGED, expected: ${wanted}`)
    process.exit(1)
  }
}
server.listen(0, '127.0.0.1', async () => {
  const endpoint = 'http://127.0.0.1:' + server.address().port
  const client = new ECRClient({ region: 'eu-west-1', endpoint, credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'example' } })
  const tags = async input => {
    const found = []
    for await (const page of paginateListImages({ client }, input)) found.push(page.imageIds[0].imageTag)
    return found.join(' ')
  }
  const input = { repositoryName: 'app' }
  want('JavaScript', await tags(input), 't1 t2 t3')
  want('JavaScript, again with the same input', await tags(input), 't3')
  want('JavaScript, the input afterwards', JSON.stringify(input), '{"repositoryName":"app","nextToken":"3"}')
  want('JavaScript, with a new input', await tags({ repositoryName: 'app' }), 't1 t2 t3')
  execFile('./finding', [endpoint], (error, output) => {
    if (error) throw error
    want('Go', output.split('\n')[0], 't1 t2 t3')
    want('Go, again with the same input', output.split('\n')[1], 't1 t2 t3')
    server.close()
    server.closeAllConnections()
  })
})
EOM
node --no-warnings main.js
