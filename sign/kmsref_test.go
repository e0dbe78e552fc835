package sign

import (
	"strings"
	"testing"
)

const (
	testKeyID = "1234abcd-12ab-34cd-56ef-1234567890ab"
	testMRK   = "mrk-1234abcd12ab34cd56ef1234567890ab"
)

func TestParseKMSReference(t *testing.T) {
	tests := []struct {
		text string
		want KMSReference
	}{
		{"awskms:///" + testKeyID, KMSReference{Key: testKeyID}},
		{"awskms:///" + testMRK, KMSReference{Key: testMRK}},
		{"awskms:///alias/release", KMSReference{Key: "alias/release"}},
		{"awskms:///alias/team/release_2-x", KMSReference{Key: "alias/team/release_2-x"}},
		{"awskms:///arn:aws:kms:us-east-1:111122223333:key/" + testKeyID, KMSReference{Key: "arn:aws:kms:us-east-1:111122223333:key/" + testKeyID, Region: "us-east-1"}},
		{"awskms:///arn:aws:kms:us-east-1:111122223333:key/" + testMRK, KMSReference{Key: "arn:aws:kms:us-east-1:111122223333:key/" + testMRK, Region: "us-east-1"}},
		{"awskms:///arn:aws:kms:us-east-1:111122223333:alias/release", KMSReference{Key: "arn:aws:kms:us-east-1:111122223333:alias/release", Region: "us-east-1"}},
		{"arn:aws:kms:eu-central-1:111122223333:alias/release", KMSReference{Key: "arn:aws:kms:eu-central-1:111122223333:alias/release", Region: "eu-central-1"}},
		{"alias/release", KMSReference{Key: "alias/release"}},
		{"awskms://kms.example.com/alias/release", KMSReference{Key: "alias/release", Endpoint: "https://kms.example.com"}},
		{"awskms://kms.example.com:8443/alias/release", KMSReference{Key: "alias/release", Endpoint: "https://kms.example.com:8443"}},
		{"awskms://localhost:4510/alias/release", KMSReference{Key: "alias/release", Endpoint: "http://localhost:4510"}},
		{"awskms://127.0.0.1:4510/alias/release", KMSReference{Key: "alias/release", Endpoint: "http://127.0.0.1:4510"}},
		{"awskms://[::1]:4510/alias/release", KMSReference{Key: "alias/release", Endpoint: "http://[::1]:4510"}},
		{"awskms://10.0.0.1:4510/alias/release", KMSReference{Key: "alias/release", Endpoint: "https://10.0.0.1:4510"}},
		{"awskms://127.0.0.1.example.com/alias/release", KMSReference{Key: "alias/release", Endpoint: "https://127.0.0.1.example.com"}},
	}
	for partition, region := range map[string]string{
		"aws": "ap-southeast-3", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1", "aws-eusc": "eusc-de-east-1",
		"aws-iso": "us-iso-east-1", "aws-iso-b": "us-isob-east-1", "aws-iso-e": "eu-isoe-west-1", "aws-iso-f": "us-isof-south-1",
	} {
		arn := "arn:" + partition + ":kms:" + region + ":111122223333:key/" + testKeyID
		tests = append(tests, struct {
			text string
			want KMSReference
		}{arn, KMSReference{Key: arn, Region: region}})
	}
	for _, tt := range tests {
		got, err := ParseKMSReference(tt.text)
		if err != nil || got != tt.want {
			t.Errorf("%s: got %+v, %v", tt.text, got, err)
		}
		if again, err := ParseKMSReference(got.String()); err != nil || again != got {
			t.Errorf("%s: its String %q gives %+v, %v", tt.text, got, again, err)
		}
	}
}

func TestParseKMSReferenceRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                                "not a key of AWS KMS",
		"cosign.key":                                      "not a key of AWS KMS",
		testKeyID:                                         "not a key of AWS KMS",
		"gcpkms://projects/p":                             "not a key of AWS KMS",
		"awskms://":                                       "third slash",
		"awskms://alias":                                  "third slash",
		"awskms:///":                                      "no key is named",
		"awskms://alias/release":                          "third slash",
		"awskms:///alias/":                                "not an alias",
		"alias/a b":                                       "not an alias",
		"alias/" + strings.Repeat("a", 251):               "not an alias",
		"awskms:///release":                               "neither a key ID",
		"awskms:///" + testKeyID + "/x":                   "neither a key ID",
		"awskms://user@host/alias/x":                      "not HOST",
		"awskms://host:0/alias/x":                         "not a port",
		"awskms://host:/alias/x":                          "not a port",
		"awskms://host:99999/alias/x":                     "not a port",
		"awskms://ho st/alias/x":                          "not HOST",
		"awskms://host?a=b/alias/x":                       "not HOST",
		"awskms://[::1/alias/x":                           "not HOST",
		"arn:aws:s3:::bucket":                             "not an ARN of AWS KMS",
		"arn:gcp:kms:r:1:key/x":                           "not an ARN of AWS KMS",
		"arn:aws:kms:us-east-1:111122223333":              "not an ARN of AWS KMS",
		"arn:aws:kms::111122223333:alias/x":               `"" in the ARN is not an AWS region`,
		"arn:aws:kms:us_east:111122223333:alias/x":        "not an AWS region",
		"arn:aws:kms:us-east-1:1111:alias/x":              "12 digits",
		"arn:aws:kms:us-east-1:111122223333:" + testKeyID: "neither key/ID nor alias/NAME",
		"arn:aws:kms:us-east-1:111122223333:key/alias/x":  "neither key/ID nor alias/NAME",
		"arn:aws:kms:us-east-1:111122223333:key/":         "neither key/ID nor alias/NAME",
		"arn:aws:kms:us-east-1:111122223333:alias/":       "not an alias",
		"arn:aws:kms:us-east-1:111122223333:alias/x\n":    "not an alias",
		"arn:aws:kms:us-east-1:111122223333:key/" + testKeyID + "\x00": "neither key/ID nor alias/NAME",
	} {
		if got, err := ParseKMSReference(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %+v, %v, want …%s…", text, got, err, want)
		}
	}
}

func FuzzParseKMSReference(f *testing.F) {
	for _, seed := range []string{"awskms:///alias/x", "awskms://[::1]:1/" + testKeyID, "arn:aws-iso-b:kms:us-isob-east-1:111122223333:key/" + testMRK, "alias/a/b", "awskms://é/alias/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := ParseKMSReference(text)
		if err != nil {
			return
		}
		if !IsKMSReference(text) {
			t.Errorf("%q was parsed but is none", text)
		}
		if again, err := ParseKMSReference(ref.String()); err != nil || again != ref {
			t.Errorf("%q: %+v, its String %q gives %+v, %v", text, ref, ref, again, err)
		}
	})
}
