package auth

import (
	"errors"
	"strings"
	"testing"
)

const account1 = "123456789012"

func TestParseRegistryNames(t *testing.T) {
	tests := []struct {
		host      string
		region    string
		partition string
		fips      bool
		dualStack bool
	}{
		{account1 + ".dkr.ecr.us-east-1.amazonaws.com", "us-east-1", "aws", false, false},
		{account1 + ".dkr.ecr.ap-southeast-7.amazonaws.com", "ap-southeast-7", "aws", false, false},
		{account1 + ".dkr.ecr-fips.us-east-2.amazonaws.com", "us-east-2", "aws", true, false},
		{account1 + ".dkr-ecr.eu-central-1.on.aws", "eu-central-1", "aws", false, true},
		{account1 + ".dkr-ecr-fips.us-west-2.on.aws", "us-west-2", "aws", true, true},
		{account1 + ".dkr.ecr.us-gov-west-1.amazonaws.com", "us-gov-west-1", "aws-us-gov", false, false},
		{account1 + ".dkr.ecr-fips.us-gov-east-1.amazonaws.com", "us-gov-east-1", "aws-us-gov", true, false},
		{account1 + ".dkr-ecr.us-gov-east-1.on.aws", "us-gov-east-1", "aws-us-gov", false, true},
		{account1 + ".dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", "aws-cn", false, false},
		{account1 + ".dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn", "cn-northwest-1", "aws-cn", false, true},
		{account1 + ".dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1", "aws-eusc", false, false},
		{account1 + ".dkr.ecr.us-east-1.vpce.amazonaws.com", "us-east-1", "aws", false, false},
		{account1 + ".dkr.ecr-fips.us-gov-west-1.vpce.amazonaws.com", "us-gov-west-1", "aws-us-gov", true, false},
		{account1 + ".dkr-ecr.eusc-de-east-1.on.amazonwebservices.eu", "eusc-de-east-1", "aws-eusc", false, true},
		{account1 + ".dkr-ecr-fips.us-iso-east-1.on.aws.ic.gov", "us-iso-east-1", "aws-iso", true, true},
		{account1 + ".dkr-ecr.us-isob-east-1.on.aws.scloud", "us-isob-east-1", "aws-iso-b", false, true},
		{account1 + ".dkr-ecr.eu-isoe-west-1.on.cloud-aws.adc-e.uk", "eu-isoe-west-1", "aws-iso-e", false, true},
		{account1 + ".dkr-ecr.us-isof-south-1.on.aws.hci.ic.gov", "us-isof-south-1", "aws-iso-f", false, true},
		{account1 + ".dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1", "aws-iso", false, false},
		{account1 + ".dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1", "aws-iso-b", false, false},
		{account1 + ".dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1", "aws-iso-e", false, false},
		{account1 + ".dkr.ecr.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1", "aws-iso-f", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.host, func(t *testing.T) {
			want := Registry{Host: tt.host, Account: account1, Region: tt.region, Partition: tt.partition, FIPS: tt.fips, DualStack: tt.dualStack}
			got, err := ParseRegistry(tt.host, nil)
			if err != nil || got != want {
				t.Fatalf("got %+v, %v; want %+v", got, err, want)
			}
			if got.Scheme() != "https" {
				t.Errorf("scheme %q", got.Scheme())
			}
			plain := !tt.fips && !tt.dualStack && !strings.Contains(tt.host, ".vpce.")
			want = Registry{Host: got.CanonicalHost(), Account: account1, Region: tt.region, Partition: tt.partition}
			if got, err := ParseRegistry(got.CanonicalHost(), nil); err != nil || got != want || plain && got.Host != tt.host {
				t.Errorf("its canonical host: %+v, %v", got, err)
			}
		})
	}
}

func TestParseRegistryForms(t *testing.T) {
	const host = account1 + ".dkr.ecr.us-east-1.amazonaws.com"
	mapping := Mapping{
		"127.0.0.1:4510":  {Host: "127.0.0.1:4510", Account: "000000000000", Region: "us-east-1"},
		"[::1]:4510":      {Host: "[::1]:4510", Account: "000000000000", Region: "us-east-1"},
		"ecr.example.com": {Host: "ecr.example.com", Account: account1, Region: "eu-west-1"},
	}
	tests := []struct{ in, want string }{
		{host, host},
		{" " + host + "\n", host},
		{"https://" + host, host},
		{"http://" + host + "/", host},
		{"HTTPS://" + strings.ToUpper(host) + "/v2/", host},
		{host + ".", host},
		{host + ".:443", host},
		{host + ":443", host},
		{"https://" + host + ":443/v1/", host},
		{host + ":8443", host + ":8443"},
		{host + "/team/app", host},
		{host + "/team/app:1.2", host},
		{"https://user:pw@" + host + "/", host},
		{host + "?x=1", host},
		{"127.0.0.1:4510", "127.0.0.1:4510"},
		{"https://127.0.0.1:4510/", "127.0.0.1:4510"},
		{"http://127.0.0.1:4510/v2/", "127.0.0.1:4510"},
		{"127.0.0.1:4510/app", "127.0.0.1:4510"},
		{"[::1]:4510/v2/", "[::1]:4510"},
		{"[0:0:0:0:0:0:0:1]:4510", "[::1]:4510"},
		{"[::ffff:127.0.0.1]:4510", "127.0.0.1:4510"},
		{"[::FFFF:7f00:1]:4510", "127.0.0.1:4510"},
		{"ECR.example.com.", "ecr.example.com"},
		{"https://ecr.example.com:443/v2/", "ecr.example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParseRegistry(tt.in, mapping)
			if err != nil || got.Host != tt.want {
				t.Fatalf("got %+v, %v; want host %s", got, err, tt.want)
			}
		})
	}
}

func TestParseRegistryRefuses(t *testing.T) {
	const host = account1 + ".dkr.ecr.us-east-1.amazonaws.com"
	mapping := Mapping{"127.0.0.1:4510": {Host: "127.0.0.1:4510"}}
	for _, in := range []string{
		"", "/", ".", ":443", "https://", "docker.io", "public.ecr.aws.evil.com", "ghcr.io", "https://index.docker.io/v1/",
		host + ".evil.com",
		host + "-evil.com",
		"evil.com/" + host,
		"evil.com?" + host,
		"evil.com#" + host,
		`evil.com\` + host,
		host + "@evil.com", host + `\@evil.com`, "https://" + host + `\@evil.com/`, host + `\`, `evil.com\@` + host, `\\` + host, host + `/\@evil.com`,
		host + "#@evil.com", host + "?@evil.com", "https://user@" + host + "?x@evil.com/", host + "#x@evil.com", "[" + host + "]", "https://[" + host + "]:443/",
		"https://" + host + "@evil.com/",
		"evil." + host,
		"x" + host,
		"evil.com:443/" + host,
		"12345678901.dkr.ecr.us-east-1.amazonaws.com",
		"1234567890123.dkr.ecr.us-east-1.amazonaws.com",
		"١٢٣٤٥٦٧٨٩٠١٢.dkr.ecr.us-east-1.amazonaws.com",
		account1 + ".d\u212ar.ecr.us-east-1.amazonaws.com", // Kelvin sign, lower case k
		account1 + "。dkr。ecr。us-east-1。amazonaws。com",
		account1 + ".dkr.ecr.us-east-1.amazonaws.com.cn", // not China's region
		account1 + ".dkr.ecr.cn-north-1.amazonaws.com",
		account1 + ".dkr-ecr.us-east-1.amazonaws.com", // dual-stack prefix, plain suffix
		account1 + ".dkr.ecr.us-east-1.on.aws",        // plain prefix, dual-stack suffix
		account1 + ".dkr-ecr.eusc-de-east-1.",
		account1 + ".dkr.ecr.us-east-1.vpce.evil.com",
		account1 + ".dkr.ecr.us-east-1.vpce.vpce.amazonaws.com",
		"vpce-0123-abc.dkr.ecr.us-east-1.vpce.amazonaws.com", // whose account is told by a rule
		account1 + ".dkr_ecr.us-east-1.amazonaws.com",
		account1 + ".dkr.ecr-gov.us-east-1.amazonaws.com",
		account1 + ".dkr.ecr..amazonaws.com",
		account1 + ".dkr.ecr.us-east-1.amazonaws.comx",
		account1 + ".dkr.ecr.us-east-1.evil.amazonaws.com",
		account1 + ".dkr.ecr.us-east-1.evil.com.amazonaws.com",
		host + ":port",
		host + ":443:443",
		host + ":",
		host + "..",
		"ftp://" + host,
		"oci://" + host,
		"127.0.0.1:4511", "127.0.0.1", "127.0.0.1:4510.evil.com", "http://evil.com/127.0.0.1:4510",
		"[::1", "::1]:4510", "[]", "[]:80",
		host + "\x00", "\n" + host + "\nevil.com",
	} {
		t.Run(in, func(t *testing.T) {
			if got, err := ParseRegistry(in, mapping); !errors.Is(err, ErrNotECR) {
				t.Fatalf("got %+v, %v; want ErrNotECR", got, err)
			}
		})
	}
}

func TestParseMapping(t *testing.T) {
	local := Registry{Host: "127.0.0.1:4510", Account: "000000000000", Region: "us-east-1", Partition: "aws"}
	tests := []struct {
		in   string
		want []Registry
	}{
		{"", nil},
		{" , ,", nil},
		{"127.0.0.1:4510=000000000000.us-east-1", []Registry{local}},
		{"127.0.0.1:4510=000000000000.us-east-1,127.0.0.1:4510=000000000000.us-east-1", []Registry{local}},
		{" 127.0.0.1:4510 = 000000000000.us-east-1 , ECR.Example.com=" + account1 + ".cn-north-1,", []Registry{
			local, {Host: "ecr.example.com", Account: account1, Region: "cn-north-1", Partition: "aws-cn"},
		}},
		{"[::1]:80=000000000000.us-gov-west-1", []Registry{{Host: "[::1]", Account: "000000000000", Region: "us-gov-west-1", Partition: "aws-us-gov"}}},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParseMapping(tt.in)
			if err != nil || len(got) != len(tt.want) {
				t.Fatalf("got %v, %v", got, err)
			}
			for _, want := range tt.want {
				if got[want.Host] != want {
					t.Errorf("got %+v, want %+v", got[want.Host], want)
				}
				if r, err := ParseRegistry(want.Host, got); err != nil || r != want {
					t.Errorf("ParseRegistry(%s) = %+v, %v", want.Host, r, err)
				}
			}
		})
	}
}

func TestParseMappingErrorNamesTheEntry(t *testing.T) {
	const good = "127.0.0.1:4510=000000000000.us-east-1"
	for _, bad := range []string{
		"nonsense", "=000000000000.us-east-1", "host=", "host=000000000000", "host=us-east-1", "host=00000000000.us-east-1",
		"host=000000000000.", "host=000000000000.US-EAST-1", "host=000000000000.us east-1", "https://host=000000000000.us-east-1",
		"host/path=000000000000.us-east-1", "user@host=000000000000.us-east-1", "host:port=000000000000.us-east-1",
		"hé.example=000000000000.us-east-1", "127.0.0.1:4510=000000000000.us-east-2",
	} {
		t.Run(bad, func(t *testing.T) {
			got, err := ParseMapping(good + "," + bad)
			if err == nil {
				t.Fatalf("accepted as %v", got)
			}
			if !strings.Contains(err.Error(), `"`+bad+`"`) {
				t.Errorf("error does not name the entry: %v", err)
			}
		})
	}
}

func TestScheme(t *testing.T) {
	for host, want := range map[string]string{
		"127.0.0.1:4510": "http", "127.1.2.3": "http", "localhost": "http", "localhost:80": "http",
		"a.localhost:1": "http", "[::1]:4510": "http", "[::1]": "http", "[::ffff:127.0.0.1]": "http",
		"128.0.0.1": "https", "notlocalhost": "https", "localhost.evil.com": "https", "10.0.0.1:80": "https", "[::2]": "https",
		"127.0.0.1.evil.com": "https",
	} {
		if got := (Registry{Host: host}).Scheme(); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}

func FuzzParseRegistry(f *testing.F) {
	for _, s := range []string{"", "https://" + account1 + ".dkr.ecr.us-east-1.amazonaws.com/v2/", "127.0.0.1:4510", "[::1]:80", "user@host", "host:"} {
		f.Add(s)
	}
	mapping := Mapping{"127.0.0.1:4510": {Host: "127.0.0.1:4510"}}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRegistry(s, mapping)
		if err != nil {
			if !errors.Is(err, ErrNotECR) {
				t.Fatalf("%q: %v is not ErrNotECR", s, err)
			}
			return
		}
		again, err := ParseRegistry(r.Host, mapping)
		if err != nil || again != r {
			t.Fatalf("%q gives host %q, which gives %+v, %v", s, r.Host, again, err)
		}
	})
}

func FuzzParseMapping(f *testing.F) {
	for _, s := range []string{"", "127.0.0.1:4510=000000000000.us-east-1,x=123456789012.cn-north-1", "x..=123456789012.cn-north-1", "[].=123456789012.cn-north-1", "[::1]:80=000000000000.us-east-1", "=,="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		mapping, err := ParseMapping(s)
		if err != nil {
			return
		}
		for host, r := range mapping {
			if got, err := ParseRegistry(host, mapping); err != nil || got != r {
				t.Fatalf("%q maps %q, which gives %+v, %v", s, host, got, err)
			}
		}
	})
}

// An emulator on this machine has names of its own, which lead nowhere else.
func TestLocalhostRegistry(t *testing.T) {
	host := account1 + ".dkr.ecr.eu-west-1.localhost:4510"
	want := Registry{Host: host, Account: account1, Region: "eu-west-1", Partition: "aws"}
	got, err := ParseRegistry(host, nil)
	if err != nil || got != want || got.Scheme() != "http" {
		t.Errorf("got %+v (%s), %v; want %+v", got, got.Scheme(), err, want)
	}
	for _, host := range []string{account1 + ".dkr.ecr.us-east-1.localhost.evil.com", account1 + ".dkr.ecr-fips.us-east-1.localhost", account1 + ".dkr-ecr.us-east-1.localhost"} {
		if got, err := ParseRegistry(host, nil); err == nil {
			t.Errorf("%s is %+v", host, got)
		}
	}
}
