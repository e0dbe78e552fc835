package files

import "errors"

// unsupported are the errors of file systems without locks.
var unsupported = []error{errors.ErrUnsupported}
