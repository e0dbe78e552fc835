package transfer

import "os"

// DetectKind tells by its content what kind of image file or directory is at
// path; "" is none.
func DetectKind(path string) Kind {
	if path == "" {
		return ""
	}
	if IsLayout(path) {
		return KindLayout
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	archive, err := OpenArchive(path)
	if err != nil {
		return ""
	}
	defer archive.Close()
	if _, err := archive.index(); err != nil {
		return ""
	}
	return KindArchive
}
