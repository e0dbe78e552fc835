package mirror

// CopyError is why an image, or all that is selected of a repository, was not copied.
type CopyError struct {
	From string // HOST/REPOSITORY, with @DIGEST if it is one image
	To   string // HOST/REPOSITORY; "" if it goes into a set
	Err  error
}

func (e *CopyError) Error() string { return e.What() + ": " + e.Err.Error() }

// What returns what was not copied, for messages.
func (e *CopyError) What() string {
	if e.To == "" {
		return e.From
	}
	return e.From + " to " + e.To
}

func (e *CopyError) Unwrap() error { return e.Err }
