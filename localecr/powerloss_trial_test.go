//go:build trial && linux

package localecr_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	bolt "go.etcd.io/bbolt"

	"github.com/ecrkit/ecrkit/internal/test/powerloss"
	"github.com/ecrkit/ecrkit/localecr"
)

// TestTrialPowerLoss records a server with Options.Sync, and looks in states in which a loss of power may leave its disk for
// all that was acknowledged before. It needs strace.
func TestTrialPowerLoss(t *testing.T) {
	t.Parallel()
	r := recordServer(t, true)
	r.begin()
	lost := 0
	r.each(600, func(random *rand.Rand) powerloss.Chance {
		return []powerloss.Chance{powerloss.Nothing, powerloss.InOrder, powerloss.Any, powerloss.Any}[random.IntN(4)]
	}, func(s powerloss.State, err error) {
		if err != nil {
			lost++
			t.Errorf("%d answers: %v", len(s.Answered), err)
		}
	})
	if lost > 0 {
		t.Logf("%d states have lost something", lost)
	}
}

// TestTrialKillInOrder records a server without Options.Sync, and looks in the states in which a kill may leave its disk.
func TestTrialKillInOrder(t *testing.T) {
	t.Parallel()
	r := recordServer(t, false)
	r.each(200, func(*rand.Rand) powerloss.Chance { return powerloss.InOrder }, func(s powerloss.State, err error) {
		if err != nil {
			t.Errorf("%d answers: %v", len(s.Answered), err)
		}
	})
	// The trial can fail: without a sync there are states in which something is lost.
	failed := 0
	r.each(30, func(*rand.Rand) powerloss.Chance { return powerloss.Nothing }, func(_ powerloss.State, err error) {
		if err != nil {
			failed++
		}
	})
	if failed == 0 {
		t.Error("nothing was lost in states without anything that was not synced")
	}
}

// recording is what a server did while clients pushed, and what it has acknowledged, by the ID of the request.
type recording struct {
	t       *testing.T
	history *powerloss.History

	mu           sync.Mutex
	acknowledged map[string]func(*rig) error // looks for it in a server
}

// recordServer runs this binary as a server under strace, with several clients.
func recordServer(t *testing.T, sync bool) *recording {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	data, trace := filepath.Join(dir, "data"), filepath.Join(dir, "trace")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	args := powerloss.Command(trace, os.Args[0])
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), crashDir+"="+data)
	if sync {
		cmd.Env = append(cmd.Env, crashSync+"=1")
	}
	c, kill := startServer(t, cmd, crashPart)
	r := &recording{t: t, acknowledged: map[string]func(*rig) error{}}
	r.push(c)
	pid, err := powerloss.Pid(trace)
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	kill()
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // opened for reading
	r.history, err = powerloss.ReadTrace(f, data, func(sent string) (string, bool) {
		head, _, ok := strings.Cut(sent, "\r\n\r\n")
		if !ok || !strings.HasPrefix(head, "HTTP/1.1 2") {
			return "", false
		}
		for line := range strings.SplitSeq(head, "\r\n") {
			if name, id, ok := strings.Cut(line, ": "); ok && strings.EqualFold(name, requestIDHeader) {
				return id, true
			}
		}
		return "", false
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const requestIDHeader = "X-Amzn-Requestid"

// note keeps how to look for what an answer has acknowledged.
func (r *recording) note(answer reply, look func(*rig) error) {
	id := answer.header.Get(requestIDHeader)
	if answer.status/100 != 2 || id == "" {
		r.t.Errorf("not acknowledged: %d %s", answer.status, answer.body)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.acknowledged[id] = look
}

// call calls the AWS API with a request that is signed by hand: the answer's head has its ID.
func (r *recording) call(c *crashRig, operation, format string, args ...any) reply {
	return c.do(c.signed(operation, fmt.Sprintf(format, args...)))
}

// push pushes images with several clients, some of which share layers, and leaves uploads unfinished.
func (r *recording) push(c *crashRig) {
	r.note(r.call(c, "CreateRepository", `{"repositoryName":"app"}`), func(*rig) error { return nil })
	var clients sync.WaitGroup
	for i := range 4 {
		clients.Go(func() {
			for n := range 5 {
				r.pushImage(c, fmt.Sprintf("c%d-n%d", i, n))
			}
			r.unfinished(c, fmt.Sprintf("unfinished %d", i))
		})
	}
	clients.Wait()
	other := r.call(c, "CreateRepository", `{"repositoryName":"other"}`)
	r.note(other, func(r *rig) error {
		_, err := r.api.DescribeRepositories(context.Background(), &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"other"}})
		return err
	})
}

func (r *recording) pushImage(c *crashRig, tag string) {
	layers := [][]byte{[]byte("config " + tag), unique("layer "+tag, 3000), unique("shared "+tag[len(tag)-1:], 1000)}
	for _, data := range layers {
		answer := c.v2("POST", "/v2/app/blobs/uploads/", nil)
		digest := digestOf(data)
		put := c.v2("PUT", answer.header.Get("Location")+"?digest="+digest, data)
		if put.status != http.StatusCreated {
			r.t.Errorf("layer: %d %s", put.status, put.body)
		}
	}
	m := manifest(layers[0], layers[1], layers[2])
	r.note(r.call(c, "PutImage", `{"repositoryName":"app","imageManifest":%q,"imageTag":%q}`, m, tag), func(rig *rig) error {
		out, err := rig.api.BatchGetImage(context.Background(), &ecr.BatchGetImageInput{RepositoryName: aws.String("app"), ImageIds: []types.ImageIdentifier{{ImageTag: &tag}}})
		if err != nil {
			return err
		}
		if len(out.Images) != 1 || *out.Images[0].ImageManifest != string(m) {
			return fmt.Errorf("image %s is lost", tag)
		}
		for _, data := range layers {
			redirect := rig.v2("GET", "/v2/app/blobs/"+digestOf(data), nil)
			if got, ok := rig.try("GET", redirect.header.Get("Location"), nil, "Authorization", ""); !ok || string(got.body) != string(data) {
				return fmt.Errorf("a layer of image %s is lost: %d", tag, redirect.status)
			}
		}
		return nil
	})
}

// unfinished begins an upload of which one part is acknowledged.
func (r *recording) unfinished(c *crashRig, text string) {
	id := c.start("app")
	data := unique(text, crashPart)
	part := r.call(c, "UploadLayerPart", `{"repositoryName":"app","uploadId":%q,"partFirstByte":0,"partLastByte":%d,"layerPartBlob":%q}`, *id, len(data)-1, base64.StdEncoding.EncodeToString(data))
	r.note(part, func(rig *rig) error {
		rest := []byte("the rest")
		if err := rig.part("app", id, int64(len(data)), rest); err != nil {
			return fmt.Errorf("upload %s: %w", text, err)
		}
		if err := rig.complete("app", id, digestOf(append(data, rest...))); err != nil {
			return fmt.Errorf("upload %s: %w", text, err)
		}
		return nil
	})
}

// each looks into n states, at moments and with chances that are random, and reports for each what is wrong.
func (r *recording) each(n int, chance func(*rand.Rand) powerloss.Chance, report func(powerloss.State, error)) {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	answers := 0
	for i := range n {
		if r.t.Failed() {
			return
		}
		moment := r.history.Len() - 1 // after the last answer
		if i > 0 {
			moment = random.IntN(r.history.Len())
		}
		state := r.history.At(moment, chance(random), random)
		answers = max(answers, len(state.Answered))
		report(state, r.look(state))
	}
	if answers < len(r.acknowledged) {
		r.t.Errorf("%d of %d answers are in the trace", answers, len(r.acknowledged))
	}
}

// begin looks at the database in many states at each of the first moments, in which the store is made.
func (r *recording) begin() {
	random := rand.New(rand.NewPCG(1, 2))
	for moment := range min(40, r.history.Len()) {
		for range 50 {
			state := r.history.At(moment, powerloss.Any, random)
			if err := r.check(state, r.write(state)); err != nil {
				r.t.Errorf("after event %d: %v", moment, err)
				return
			}
		}
	}
}

// write writes a state to a directory of its own.
func (r *recording) write(state powerloss.State) string {
	dir, err := os.MkdirTemp(r.t.TempDir(), "state")
	if err == nil {
		err = state.Write(dir)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return dir
}

// look opens the store in a state and looks for all that was acknowledged.
func (r *recording) look(state powerloss.State) error {
	dir := r.write(state)
	defer os.RemoveAll(dir)
	if err := r.check(state, dir); err != nil {
		return err
	}
	limits := localecr.DefaultLimits()
	limits.MinPart = crashPart
	srv, err := localecr.New(localecr.Options{Dir: dir, Limits: &limits})
	if err != nil {
		return err
	}
	var failed error
	r.t.Run("state", func(t *testing.T) { // which closes the server
		srv.Start(t)
		rig := &rig{t: t, srv: srv}
		user := localecr.DefaultAccounts()[0].Users[0]
		rig.api = rig.client(user.AccessKeyID, user.SecretAccessKey, "", localecr.DefaultRegion)
		rig.token = rig.login(rig.api)
		for id, look := range r.acknowledged {
			if !state.Answered[id] {
				continue
			}
			if err := look(rig); err != nil && failed == nil {
				failed = err
			}
		}
	})
	return failed
}

// check checks each page of the database in a state that was written to dir. Before the first answer there may be none.
func (*recording) check(state powerloss.State, dir string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	path := filepath.Join(dir, "metadata.db")
	if _, err := os.Stat(path); len(state.Answered) == 0 && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, NoFreelistSync: true, NoSync: true})
	if err != nil {
		return err
	}
	defer db.Close() // nothing was written
	return db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		return nil
	})
}
