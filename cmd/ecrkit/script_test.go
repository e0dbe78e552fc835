package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ecrkit/ecrkit/localecr"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ecrkit": main, "ecrkit-session": session, "ecrkit-request": request})
}

// TestScripts runs testdata/script, each against a local ECR of its own, whose
// address is $ECRKIT_REGISTRY.
func TestScripts(t *testing.T) {
	clients := buildClient(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			calls := &localecr.Recorder{}
			server, err := localecr.New(localecr.Options{Audit: calls, SigningTime: time.Hour, PreviewTime: time.Nanosecond, ScanTime: time.Nanosecond}) // what is signed waits for the clock
			if err != nil {
				return err
			}
			server.Start(scriptTB{e})
			e.Vars = append(e.Vars, server.Env()...)
			home := filepath.Join(e.WorkDir, "home")
			if err := os.Mkdir(home, 0o700); err != nil {
				return err
			}
			e.Setenv("HOME", home)
			e.Vars = append(e.Vars, "GORACE=atexit_sleep_ms=0") // otherwise a second for each command
			if err := useSession(e, clients); err != nil {
				return err
			}
			e.Setenv("INSTALL", filepath.Join(docsDir, "..", ".github", "action", "install.sh"))
			e.Values[outputsKey{}] = map[string]string{}
			e.Values[serverKey{}], e.Values[callsKey{}], e.Values[watchKey{}] = server, calls, &tagWatch{}
			e.Values[countedKey{}] = map[string]*requestCounter{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"repository":      makeRepository,
			"layout":          makeLayout,
			"versions":        makeVersions,
			"fault":           setFault,
			"otherecr":        startOtherECR,
			"otherregistry":   startOtherRegistry,
			"countedregistry": startCountedRegistry,
			"limitedregistry": startLimitedRegistry,
			"newlimit":        newLimit,
			"requests":        compareRequests,
			"clock":           moveClock,
			"await":           awaitCall,
			"calls":           compareCalls,
			"count":           countCalls,
			"deny":            refuseCalls,
			"findings":        setFindings,
			"keypair":         makeKeyPair,
			"watch":           watchTag,
			"watched":         watched,
			"unsigned":        seenUnsigned,
			"signfault":       setSigningFault,
			"attach":          attachArtifact,
			"dockerarchive":   makeDockerArchive,
			"made":            makeFormat,
			"platforms":       makePlatforms,
			"partial":         makePartial,
			"validate":        validateRemote,
			"setlifecycle":    setLifecycle,
			"runjob":          runJob,
		},
	})
}

type (
	serverKey struct{}
	callsKey  struct{}
)

// scriptTB lets the local ECR end with a script.
type scriptTB struct{ env *testscript.Env }

func (tb scriptTB) Helper()          {}
func (tb scriptTB) Cleanup(f func()) { tb.env.Defer(f) }
func (tb scriptTB) Fatalf(format string, args ...any) {
	tb.env.T().Fatal(fmt.Sprintf(format, args...))
}

// clientOf calls the local ECR of a script as its first user.
func clientOf(ts *testscript.TestScript) *ecr.Client {
	server := ts.Value(serverKey{}).(*localecr.Server)
	user := localecr.DefaultAccounts()[0].Users[0]
	return ecr.New(ecr.Options{
		Region: localecr.DefaultRegion, BaseEndpoint: aws.String(server.URL),
		Credentials: credentials.NewStaticCredentialsProvider(user.AccessKeyID, user.SecretAccessKey, ""),
	})
}

// setLifecycle is "setlifecycle FILE REPOSITORY...": they have this lifecycle policy.
func setLifecycle(ts *testscript.TestScript, _ bool, args []string) {
	client, text := clientOf(ts), ts.ReadFile(args[0])
	for _, name := range args[1:] {
		_, err := client.PutLifecyclePolicy(context.Background(), &ecr.PutLifecyclePolicyInput{RepositoryName: &name, LifecyclePolicyText: &text})
		ts.Check(err)
	}
}

// makeRepository is "repository NAME [immutable]".
func makeRepository(ts *testscript.TestScript, _ bool, args []string) {
	client := clientOf(ts)
	input := &ecr.CreateRepositoryInput{RepositoryName: &args[0]}
	if len(args) > 1 && args[1] == "immutable" {
		input.ImageTagMutability = types.ImageTagMutabilityImmutable
	}
	_, err := client.CreateRepository(context.Background(), input)
	ts.Check(err)
}

// makeLayout is "layout DIR TAG...": an OCI layout with an image of one layer for
// each tag, of 100 KiB if the tag begins with "large", and for one that begins with "multi" an index of two, or as many
// as the tag says, up to nine: "multi8".
func makeLayout(ts *testscript.TestScript, _ bool, args []string) {
	empty, err := random.Index(0, 0, 0)
	ts.Check(err)
	path, err := layout.Write(ts.MkAbs(args[0]), empty)
	ts.Check(err)
	for _, tag := range args[1:] {
		name := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": tag})
		if strings.HasPrefix(tag, "multi") {
			images := int64(2)
			if last := tag[len(tag)-1]; last >= '1' && last <= '9' {
				images = int64(last - '0')
			}
			index, err := random.Index(1<<10, 1, images)
			ts.Check(err)
			ts.Check(path.AppendIndex(index, name))
			continue
		}
		size := int64(1 << 10)
		if strings.HasPrefix(tag, "large") {
			size = 100 << 10
		}
		image, err := random.Image(size, 1)
		ts.Check(err)
		ts.Check(path.AppendImage(image, name))
	}
}

// setFault is "fault wrongbyte" or "fault stall", what happens to every download of
// a layer, "fault putimage" or "fault putfirst", what happens to the second or first PutImage, or "fault signpayload", what
// AWS Signer says the second time, or "fault getrepositorypolicy", what happens to every
// one. The calls before are forgotten.
func setFault(ts *testscript.TestScript, _ bool, args []string) {
	at := int64(0)
	fault := map[string]localecr.Fault{
		"wrongbyte":           {Op: "GET /layers/{digest}", Count: -1, WrongByte: &at},
		"putimage":            {Op: "PutImage", Nth: 2, Status: 400, Code: "InvalidParameterException"},
		"putfirst":            {Op: "PutImage", Status: 400, Code: "InvalidParameterException"},
		"signpayload":         {Op: "SignPayload", Nth: 2, Status: 403, Code: "ACCESS_DENIED", Message: "no permission for signer:SignPayload"},
		"getrepositorypolicy": {Op: "GetRepositoryPolicy", Count: -1, Status: 400, Code: "AccessDeniedException"},
		"invisible":           {Op: "DescribeImages", Count: 2, Status: 400, Code: "ImageNotFoundException"},
		"neverlisted":         {Op: "DescribeImages", Count: -1, Status: 400, Code: "ImageNotFoundException"},
		"stalledlist":         {Op: "DescribeRepositories", Count: -1, Stall: time.Hour},
		"stall":               {Op: "GET /layers/{digest}", Count: -1, Stall: time.Minute},
	}[args[0]]
	ts.Check(ts.Value(serverKey{}).(*localecr.Server).SetFaults(fault))
	ts.Value(callsKey{}).(*localecr.Recorder).Reset()
}

// compareCalls is "calls [OPERATION=N...]": these, and no others, were called since
// the last time. Without arguments it only forgets.
func compareCalls(ts *testscript.TestScript, _ bool, args []string) {
	calls := ts.Value(callsKey{}).(*localecr.Recorder)
	counts := map[string]int{}
	for _, c := range calls.Calls() {
		counts[strings.ReplaceAll(c.Op, " ", "_")]++
	}
	calls.Reset()
	var got []string
	for op, n := range counts {
		got = append(got, fmt.Sprintf("%s=%d", op, n))
	}
	slices.Sort(got)
	slices.Sort(args)
	if len(args) > 0 && !slices.Equal(got, args) {
		ts.Fatalf("calls %v, want %v", got, args)
	}
}

// moveClock is "clock DURATION": the server's clock is set ahead.
func moveClock(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	ts.Value(serverKey{}).(*localecr.Server).Clock().Advance(d)
}

// awaitCall is "await OPERATION": it waits until the operation was called.
func awaitCall(ts *testscript.TestScript, _ bool, args []string) {
	calls := ts.Value(callsKey{}).(*localecr.Recorder)
	for range 12_000 {
		if calls.Count(args[0]) > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("no call of %s", args[0])
}
