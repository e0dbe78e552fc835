package auth

import "fmt"

// readByTheSDK calls read, by which the SDK reads its configuration files. Some text has its parser panic, which is an error
// here. what is for messages.
func readByTheSDK[T any](what string, read func() (T, error)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: the AWS SDK cannot read a line of them (%v); look at the lines that were changed last", what, p)
		}
	}()
	return read()
}
