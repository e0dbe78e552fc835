//go:build interop

package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testPipeline runs the script of docs/local-ecr.md for pipelines as it is there, for a Dockerfile.
func (s *suite) testPipeline(t *testing.T) {
	page, err := os.ReadFile("../../../docs/local-ecr.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## In a pipeline\n")
	_, script, _ := strings.Cut(section, "```sh\n")
	script, _, found := strings.Cut(script, "```\n")
	if !found {
		t.Fatal("the page has no script")
	}
	home := t.TempDir()
	w := &site{home: home, environ: map[string]string{
		"HOME": home, "DOCKER_CONFIG": filepath.Join(home, ".docker"), "DOCKER_HOST": startDocker(t), "DOCKER_BUILDKIT": "0", "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true",
	}}
	if !w.awsReadsEndpoints(t) { // as the page says
		script = "aws() { command aws --endpoint-url \"$AWS_ENDPOINT_URL_ECR\" \"$@\"; }\n" + script
	}
	writeFile(t, filepath.Join(home, "Dockerfile"), []byte("FROM scratch\nCOPY Dockerfile /\n"))
	if out := w.run(t, "sh", "-c", "cd "+home+"\n"+script); !strings.Contains(out, `"imageTags"`) {
		t.Errorf("the script prints %q", out)
	}
	if left, err := os.ReadDir(filepath.Join(home, ".local")); err == nil {
		t.Errorf("the server has left %v", left)
	}
}
