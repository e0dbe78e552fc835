package wire

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// The shapes of ECR as a whole are checked against the SDK's snapshots in package localecr.

func TestEncode(t *testing.T) {
	for _, c := range []struct {
		v    any
		c    Case
		want string
	}{
		{&ecr.ListImagesOutput{}, LowerCamel, `{}`},
		{&ecr.ListImagesOutput{ImageIds: []types.ImageIdentifier{}}, LowerCamel, `{"imageIds":[]}`},
		{&types.ImageScanningConfiguration{}, LowerCamel, `{"scanOnPush":false}`},
		{&types.Image{ImageManifest: aws.String("<a>&\u2028\"\n")}, LowerCamel, `{"imageManifest":"<a>&\u2028\"\n"}`},
		{&types.AuthorizationData{ExpiresAt: aws.Time(time.UnixMilli(1500))}, LowerCamel, `{"expiresAt":1.5}`},
		{&kms.SignOutput{KeyId: aws.String("k"), Signature: []byte{0xff}}, UpperCamel, `{"KeyId":"k","Signature":"/w=="}`},
		{&types.ImageReferrer{Annotations: map[string]string{"b": "1", "a": "2"}}, LowerCamel, `{"annotations":{"a":"2","b":"1"}}`},
	} {
		if got, err := Encode(c.v, c.c); err != nil || string(got) != c.want {
			t.Errorf("%T: %s (%v), want %s", c.v, got, err, c.want)
		}
	}
}

func TestDecode(t *testing.T) {
	var in ecr.PutImageInput
	if err := Decode([]byte(` {"repositoryName":"app","ImageTag":"v1","unknown":{"a":[1]},"imageDigest":null} `), &in, LowerCamel); err != nil || *in.RepositoryName != "app" || in.ImageTag != nil || in.ImageDigest != nil {
		t.Errorf("%+v %v", in, err)
	}
	if err := Decode(nil, &in, LowerCamel); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{`[]`: "cannot unmarshal array", `{"repositoryName":1}`: "repositoryName: ", `{`: "unexpected end"} {
		if err := Decode([]byte(text), &in, LowerCamel); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"repositoryName":"app","tags":[{"Key":"k"}],"imageTagMutabilityExclusionFilters":[{"filter":"x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var in ecr.CreateRepositoryInput
		if Decode(data, &in, LowerCamel) != nil {
			return
		}
		out, err := Encode(&in, LowerCamel)
		if err != nil {
			t.Fatal(err)
		}
		var again ecr.CreateRepositoryInput
		if err := Decode(out, &again, LowerCamel); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
	})
}

func TestDecodeRecorded(t *testing.T) {
	for text, valid := range map[string]bool{
		`{"imagePushedAt":1.5,"imageTags":["a"]}`:                       true,
		`{"imagePushedAt":"1970-01-01T00:00:01.5Z"}`:                    true,
		`{"imagePushedAt":"1970-01-01T01:00:01.500000+01:00"}`:          true,
		`{"imagePushedAt":"yesterday"}`:                                 false,
		`{"imagePushedAt":1.5,"imageTag":"a"}`:                          false,
		`{"imagePushedAt":1.5,"imageScanStatus":{"status":"COMPLETE"}}`: true,
		`{"imagePushedAt":1.5,"imageScanStatus":{"state":"COMPLETE"}}`:  false,
	} {
		var v types.ImageDetail
		err := DecodeRecorded([]byte(text), &v)
		if (err == nil) != valid || valid && !v.ImagePushedAt.Equal(time.UnixMilli(1500)) {
			t.Errorf("%s: %v, %v", text, v.ImagePushedAt, err)
		}
	}
	var v types.ImageDetail
	if err := Decode([]byte(`{"imagePushedAt":"1970-01-01T00:00:01.5Z"}`), &v, LowerCamel); err == nil {
		t.Error("a request with a time as text was taken")
	}
}
