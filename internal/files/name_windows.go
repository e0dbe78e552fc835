package files

func checkPath(path string) error { return checkWindowsName(path) }
