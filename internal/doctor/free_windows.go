package doctor

import "golang.org/x/sys/windows"

// Free returns the space of the volume of a directory that this user may use.
func Free(dir string) (Space, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return Space{}, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, nil, nil); err != nil {
		return Space{}, err
	}
	return Space{Bytes: free}, nil
}
