package content

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrkit/ecrkit/internal/lazyregexp"
)

// Platform is what an image runs on, or which of several images is wanted. Its
// fields have the values of Go's GOOS and GOARCH:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md.
type Platform struct {
	OS           string // "linux"
	Architecture string // "arm64"
	Variant      string // "v7"; "" is the usual one of the architecture, "*" is wanted for all of them
	OSVersion    string // "10.0.17763.1457"; "" is wanted for any
}

// AnyVariant is the variant of a wanted platform that stands for all of them.
const AnyVariant = "*"

var platformField = lazyregexp.New(`^[A-Za-z0-9_.-]{1,64}$`)

// ParsePlatform reads OS/ARCHITECTURE[/VARIANT][:OS-VERSION], such as linux/amd64,
// linux/arm/v7, linux/arm/* or windows/amd64:10.0.17763.1457. Other names that
// people have for an architecture are understood: x86_64, aarch64, arm64/v8. An architecture
// alone, arm64 or arm/v7, is that of linux. containerd's windows(10.0.17763)/amd64 is understood too.
func ParsePlatform(s string) (Platform, error) {
	written := s
	s = windowsBuild.ReplaceAllString(s, "$1/$3:$2")
	if first, _, _ := strings.Cut(s, "/"); isArchitecture(first) {
		s = "linux/" + s
	}
	name, version, versioned := strings.Cut(s, ":")
	fields := strings.Split(name, "/")
	bad := len(fields) < 2 || len(fields) > 3 || versioned && !platformField.MatchString(version)
	for i, f := range fields {
		bad = bad || !platformField.MatchString(f) && (i != 2 || f != AnyVariant)
	}
	if bad {
		return Platform{}, fmt.Errorf("%q is not a platform; write OS/ARCHITECTURE[/VARIANT], such as linux/amd64 or linux/arm/v7", s)
	}
	if len(fields) == 3 && fields[0] == "linux" && isArchitecture(fields[1]) && isSystem(fields[2]) {
		return Platform{}, fmt.Errorf("%q is not a platform; the operating system comes first: write %s/%s", written, fields[2], fields[1])
	}
	p := Platform{OS: fields[0], Architecture: fields[1], OSVersion: version}
	if len(fields) == 3 {
		p.Variant = fields[2]
	}
	return p.Normal(), nil
}

// windowsBuild is a platform with a build as containerd writes it:
// https://github.com/containerd/platforms/blob/v1.0.0-rc.1/platforms.go.
var windowsBuild = lazyregexp.New(`^([A-Za-z]+)\(([0-9.]+)\)/([^:]+)$`)

// isArchitecture reports whether s is an architecture that images are built for, not an operating
// system.
func isArchitecture(s string) bool {
	switch (Platform{Architecture: s}).Normal().Architecture {
	case "386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x":
		return true
	}
	return false
}

// isSystem reports whether s is an operating system that images are built for.
func isSystem(s string) bool {
	return s == "linux" || s == "windows" || s == "darwin" || s == "freebsd"
}

// Compatible reports how well an image for other runs where p is wanted and no image matches p: on an
// arm/v7 also arm/v6, on an amd64/v3 also amd64/v2 and amd64. 0 is not at all; of two images the one
// with the greater number is the better, as docker and containerd choose.
func (p Platform) Compatible(other Platform) int {
	p, other = p.Normal(), other.Normal()
	wanted, has := variantNumber(p), variantNumber(other)
	same := p
	same.Variant = other.Variant
	if has == 0 || has > wanted || !same.Matches(other) {
		return 0
	}
	return has
}

// variantNumber is N of the variant vN; 0 is not a number.
func variantNumber(p Platform) int {
	variant := p.Variant
	if variant == "" {
		variant = map[string]string{"amd64": "v1", "arm64": "v8"}[p.Architecture]
	}
	n, err := strconv.Atoi(strings.TrimPrefix(variant, "v"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// String is the platform as ParsePlatform reads it.
func (p Platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	if p.OSVersion != "" {
		s += ":" + p.OSVersion
	}
	return s
}

// Normal returns the platform as people name it today. An architecture without a
// variant is arm/v7, arm64/v8 or amd64/v1, of which only the first is spelt out:
// https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md#platform-variants.
func (p Platform) Normal() Platform {
	p.OS = strings.ToLower(p.OS)
	p.Architecture = strings.ToLower(p.Architecture)
	p.Variant = strings.ToLower(p.Variant)
	if p.OS == "macos" {
		p.OS = "darwin"
	}
	switch p.Architecture {
	case "x86_64", "x86-64":
		p.Architecture = "amd64"
	case "i386", "i486", "i586", "i686", "x86":
		p.Architecture = "386"
	case "aarch64":
		p.Architecture = "arm64"
	case "armhf":
		p.Architecture, p.Variant = "arm", cmp.Or(p.Variant, "v7")
	case "armel":
		p.Architecture, p.Variant = "arm", cmp.Or(p.Variant, "v6")
	}
	if (p.Architecture == "arm" || p.Architecture == "arm64" || p.Architecture == "amd64") && len(p.Variant) == 1 && p.Variant != AnyVariant {
		p.Variant = "v" + p.Variant
	}
	switch {
	case p.Architecture == "arm" && p.Variant == "":
		p.Variant = "v7"
	case p.Architecture == "arm64" && p.Variant == "v8", p.Architecture == "amd64" && p.Variant == "v1":
		p.Variant = ""
	}
	return p
}

// Matches reports whether an image for other is what p wants.
func (p Platform) Matches(other Platform) bool {
	p, other = p.Normal(), other.Normal()
	return p.OS == other.OS && p.Architecture == other.Architecture &&
		(p.Variant == other.Variant || p.Variant == AnyVariant) &&
		(p.OSVersion == "" || p.OSVersion == other.OSVersion || strings.HasPrefix(other.OSVersion, p.OSVersion+"."))
}

// PlatformOf reads the platform of a descriptor or config. It is false if there
// is none: artifacts have none, attestations say "unknown".
func PlatformOf(p *ocispec.Platform) (Platform, bool) {
	if p == nil || p.OS == "" || p.Architecture == "" || p.OS == "unknown" || p.Architecture == "unknown" {
		return Platform{}, false
	}
	return Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion}.Normal(), true
}
