package files

import (
	"fmt"
	"strings"
)

// CheckName returns an error if Windows takes a path for something else than the
// file or directory that it names: a device, a stream of a file, a name that ends
// before its last character, or none at all. On other systems every path is good.
func CheckName(path string) error { return checkPath(path) }

// devices are the names that Windows keeps for devices, with every extension and in
// every directory:
// https://learn.microsoft.com/windows/win32/fileio/naming-a-file
var devices = map[string]bool{
	"con": true, "prn": true, "aux": true, "nul": true, "conin$": true, "conout$": true,
}

// IsDevice reports whether Windows takes the name of a file for that of a device.
func IsDevice(name string) bool {
	name, _, _ = strings.Cut(strings.ToLower(name), ".")
	name = strings.TrimRight(name, " ")
	if devices[name] {
		return true
	}
	for _, port := range []string{"com", "lpt"} {
		if digit, ok := strings.CutPrefix(name, port); ok && len([]rune(digit)) == 1 && strings.Contains("0123456789¹²³", digit) {
			return true
		}
	}
	return false
}

// checkWindowsName is [CheckName] on Windows.
func checkWindowsName(path string) error {
	rest := strings.ReplaceAll(path, "/", `\`)
	if strings.HasPrefix(rest, `\\?\`) || strings.HasPrefix(rest, `\\.\`) || strings.HasPrefix(rest, `\??\`) {
		return nil // is taken as it is written
	}
	if len(rest) >= 3 && rest[1] == ':' && rest[2] == '\\' && isLetter(rest[0]) {
		rest = rest[3:]
	}
	for name := range strings.SplitSeq(rest, `\`) {
		switch {
		case strings.Trim(name, ".") == "" && len(name) <= 2:
			// nothing, or a step in the tree
		case strings.Contains(name, ":"):
			return fmt.Errorf(`the path %s has a colon in %q; on Windows it is only allowed after the letter of a drive, as in C:\%s`, path, name, strings.ReplaceAll(name, ":", "-"))
		case strings.ContainsAny(name, `<>"|?*`) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }):
			return fmt.Errorf(`the path %s has %q, and on Windows a name cannot have control characters or < > " | ? *`, path, name)
		case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "):
			return fmt.Errorf("the path %s has %q, which ends with a dot or space; Windows would remove it", path, name)
		case IsDevice(name):
			return fmt.Errorf("the path %s does not name a file: on Windows %s is a device", path, name)
		}
	}
	return nil
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
