package calls

import "io"

// LimitBody returns a body that may have limit bytes: with one more, reading it fails with tooLong.
func LimitBody(body io.ReadCloser, limit int64, tooLong error) io.ReadCloser {
	return &limitedBody{body, limit, tooLong}
}

type limitedBody struct {
	io.ReadCloser
	left    int64
	tooLong error
}

func (b *limitedBody) Read(p []byte) (n int, err error) {
	if b.left >= 0 {
		n, err = b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
		b.left -= int64(n)
	}
	if b.left < 0 {
		return 0, b.tooLong
	}
	return n, err
}
