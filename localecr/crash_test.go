package localecr_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/ecrkit/ecrkit/localecr"
)

// acknowledged is what the server has said that it has.
type acknowledged struct {
	mu     sync.Mutex
	images map[string][]byte // tag → manifest
	layers map[string][]byte // digest → bytes
	parts  map[string][]byte // upload ID → bytes up to the last part that was taken

	news chan struct{} // a token for each thing that was acknowledged
}

func newAcknowledged() *acknowledged {
	return &acknowledged{images: map[string][]byte{}, layers: map[string][]byte{}, parts: map[string][]byte{}, news: make(chan struct{}, 1000)}
}

// note changes what is acknowledged.
func (a *acknowledged) note(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
	a.news <- struct{}{}
}

// TestKilledServerLosesNothing kills a server a few times. It is this test binary, with small parts; the trial kills the
// built one, with parts as large as ECR's.
func TestKilledServerLosesNothing(t *testing.T) {
	t.Parallel()
	killServer(t, 6, crashPart, func(dir string) *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		return cmd
	})
}

const (
	crashDir  = "LOCALECR_TEST_CRASH_DIR"  // makes this binary a server with its data there
	crashSync = "LOCALECR_TEST_CRASH_SYNC" // sets Options.Sync of that server
	crashPart = 32 << 10                   // smallest part of that server, in bytes
)

func TestMain(m *testing.M) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		m.Run()
		return
	}
	limits := localecr.DefaultLimits()
	limits.MinPart = crashPart
	srv, err := localecr.New(localecr.Options{Dir: dir, Limits: &limits, Sync: os.Getenv(crashSync) != ""})
	if err != nil {
		log.Fatal(err)
	}
	l, err := srv.Listen("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ecrkit local: " + srv.URL)
	log.Fatal(l.Serve(context.Background()))
}

// killServer kills a server while two clients push through the API and two over /v2/, and looks after each restart for
// all that was acknowledged, and at all that is visible. It does so kills times, and further until every kind of thing
// was acknowledged and found again. part is the smallest size of a part in bytes.
func killServer(t *testing.T, kills, part int, server func(dir string) *exec.Cmd) {
	t.Helper()
	dir := t.TempDir()
	got := newAcknowledged()
	images, layers, parts, round := 0, 0, 0, 0
	enough := func() bool { return images > kills/4 && layers > kills && parts > 0 }
	for ; round < kills || !enough(); round++ {
		if round == 10*kills {
			t.Fatalf("after %d kills: %d images, %d layers and %d unfinished uploads; too little is pushed to prove anything", round, images, layers, parts)
		}
		r, kill := startServer(t, server(dir), part)
		if round == 0 {
			r.repository("app")
		}
		r.verify(got)
		images, layers, parts = images+len(got.images), layers+len(got.layers), parts+len(got.parts)
		got = newAcknowledged()
		var clients sync.WaitGroup
		for i, push := range []func(*acknowledged, string){r.pushAPI, r.pushAPI, r.pushV2, r.pushV2} {
			clients.Go(func() {
				for n := 0; r.alive(); n++ {
					push(got, fmt.Sprintf("r%d-c%d-n%d", round, i, n))
				}
			})
		}
		for range 1 + rand.IntN(15) {
			select {
			case <-got.news:
			case <-time.After(time.Minute):
				t.Fatal("for a minute nothing was acknowledged")
			}
		}
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond) // into the middle of something
		kill()
		clients.Wait()
	}
	r, kill := startServer(t, server(dir), part)
	r.verify(got)
	kill()
	t.Logf("%d kills; %d images, %d layers and %d unfinished uploads were acknowledged and found again", round, images, layers, parts)
}

// A crashRig is a rig whose server is a process that may be gone at any call.
type crashRig struct {
	*rig
	partSize int // of all parts but the last, in bytes
	dead     chan struct{}
}

func startServer(t *testing.T, cmd *exec.Cmd, part int) (*crashRig, func()) {
	t.Helper()
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // after a failure; else it is gone
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("no ready line: %v", err)
	}
	url := strings.TrimSpace(strings.TrimPrefix(line, "ecrkit local: "))
	r := &rig{t: t, srv: &localecr.Server{URL: url, Registry: strings.TrimPrefix(url, "http://")}}
	user := localecr.DefaultAccounts()[0].Users[0]
	r.api = r.client(user.AccessKeyID, user.SecretAccessKey, "", localecr.DefaultRegion)
	r.token = r.login(r.api)
	c := &crashRig{rig: r, partSize: part, dead: make(chan struct{})}
	return c, func() {
		close(c.dead)
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}
}

func (r *crashRig) alive() bool {
	select {
	case <-r.dead:
		return false
	default:
		return true
	}
}

// unique is n bytes that begin with the text: cheaper than random ones.
func unique(text string, n int) []byte { return append([]byte(text), make([]byte, n-len(text))...) }

func (r *crashRig) pushAPI(got *acknowledged, tag string) {
	layer := unique(tag, r.partSize+rand.IntN(1000)+1000)
	upload, err := r.api.InitiateLayerUpload(context.Background(), &ecr.InitiateLayerUploadInput{RepositoryName: aws.String("app")})
	if err != nil {
		return
	}
	if r.part("app", upload.UploadId, 0, layer[:r.partSize]) != nil {
		return
	}
	got.note(func() { got.parts[*upload.UploadId] = layer[:r.partSize] })
	if r.part("app", upload.UploadId, int64(r.partSize), layer[r.partSize:]) != nil {
		return
	}
	got.note(func() { delete(got.parts, *upload.UploadId) }) // to complete it is to end it
	if r.complete("app", upload.UploadId, digestOf(layer)) != nil {
		return
	}
	got.note(func() { got.layers[digestOf(layer)] = layer })
	config := []byte(tag)
	id, err := r.api.InitiateLayerUpload(context.Background(), &ecr.InitiateLayerUploadInput{RepositoryName: aws.String("app")})
	if err != nil || r.part("app", id.UploadId, 0, config) != nil || r.complete("app", id.UploadId, digestOf(config)) != nil {
		return
	}
	m := manifest(config, layer)
	if r.put("app", m, &tag) == nil {
		got.note(func() { got.images[tag] = m })
	}
}

func (r *crashRig) pushV2(got *acknowledged, tag string) {
	blob := func(data []byte) bool {
		loc, ok := r.try("POST", r.srv.URL+"/v2/app/blobs/uploads/", nil)
		if !ok || loc.status != 202 {
			return false
		}
		put, ok := r.try("PUT", loc.header.Get("Location")+"?digest="+digestOf(data), data)
		return ok && put.status == 201
	}
	layer, config := unique(tag, r.partSize/5+rand.IntN(1000)), []byte(tag)
	if !blob(layer) {
		return
	}
	got.note(func() { got.layers[digestOf(layer)] = layer })
	m := manifest(config, layer)
	if !blob(config) {
		return
	}
	if put, ok := r.try("PUT", r.srv.URL+"/v2/app/manifests/"+tag, m, "Content-Type", ociManifest); ok && put.status == 201 {
		got.note(func() { got.images[tag] = m })
	}
}

// verify looks for what was acknowledged, and that what is visible is whole.
func (r *crashRig) verify(got *acknowledged) {
	r.t.Helper()
	for tag, m := range got.images {
		if found := r.v2("GET", "/v2/app/manifests/"+tag, nil); string(found.body) != string(m) {
			r.t.Fatalf("image %s is lost: %d %s", tag, found.status, found.body)
		}
	}
	for digest, data := range got.layers {
		if found := r.v2("HEAD", "/v2/app/blobs/"+digest, nil); found.status != 200 || found.header.Get("Content-Length") != fmt.Sprint(len(data)) {
			r.t.Fatalf("layer %s is lost: %d", digest, found.status)
		}
	}
	for id, data := range got.parts {
		// A part from far behind is refused, and says how much there is: the part whose answer did
		// not come may be there too.
		var refused *types.InvalidLayerPartException
		if err := r.part("app", &id, 1<<40, random(1)); !errors.As(err, &refused) || *refused.LastValidByteReceived < int64(len(data))-1 {
			r.t.Fatalf("upload %s has lost its part: %v", id, err)
		}
		if *refused.LastValidByteReceived > int64(len(data))-1 {
			continue
		}
		rest := random(100)
		if err := r.part("app", &id, int64(len(data)), rest); err != nil {
			r.t.Fatalf("upload %s can't go on: %v", id, err)
		}
		if err := r.complete("app", &id, digestOf(append(data, rest...))); err != nil {
			r.t.Fatalf("upload %s: %v", id, err)
		}
	}
	r.verifyVisible(maps.Clone(got.images))
}

// verifyVisible downloads the layers of the newest images, acknowledged or not.
func (r *crashRig) verifyVisible(newest map[string][]byte) {
	r.t.Helper()
	in := &ecr.DescribeImagesInput{RepositoryName: aws.String("app"), MaxResults: aws.Int32(1000)}
	for {
		// The SDK closes the body of its request when the head of a long answer comes, and net/http
		// may then give up the connection: the SDK is used to trying again.
		out, err := r.api.DescribeImages(context.Background(), in, func(o *ecr.Options) { o.Retryer = retry.NewStandard() })
		if err != nil {
			r.t.Fatal(err)
		}
		for _, image := range out.ImageDetails {
			if len(image.ImageTags) != 1 {
				r.t.Fatalf("image %s has the tags %v", *image.ImageDigest, image.ImageTags)
			}
			if _, ok := newest[image.ImageTags[0]]; ok {
				r.verifyImage(*image.ImageDigest)
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return
		}
	}
}

func (r *crashRig) verifyImage(digest string) {
	r.t.Helper()
	m := r.v2("GET", "/v2/app/manifests/"+digest, nil)
	if digestOf(m.body) != digest {
		r.t.Fatalf("manifest %s has the digest %s", digest, digestOf(m.body))
	}
	type blob struct{ Digest string }
	var doc struct {
		Config blob
		Layers []blob
	}
	if err := json.Unmarshal(m.body, &doc); err != nil {
		r.t.Fatal(err)
	}
	for _, b := range append(doc.Layers, doc.Config) {
		redirect := r.v2("GET", "/v2/app/blobs/"+b.Digest, nil)
		data, ok := r.try("GET", redirect.header.Get("Location"), nil, "Authorization", "")
		if !ok || digestOf(data.body) != b.Digest {
			r.t.Fatalf("layer %s of %s: %d, digest %s", b.Digest, digest, data.status, digestOf(data.body))
		}
	}
}
