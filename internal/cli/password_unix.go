//go:build linux || darwin || freebsd

package cli

import (
	"bufio"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// readPassword reads a line from a terminal that does not show it. term.ReadPassword would go on behind Ctrl-D, which is
// io.EOF here.
func readPassword(terminal *os.File) ([]byte, error) {
	fd := int(terminal.Fd())
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	hidden := *before
	hidden.Lflag &^= unix.ECHO
	hidden.Lflag |= unix.ICANON | unix.ISIG
	hidden.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, setTermios, &hidden); err != nil {
		return nil, err
	}
	defer unix.IoctlSetTermios(fd, setTermios, before)
	line, err := bufio.NewReader(terminal).ReadString('\n')
	if err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(line, "\n")), nil
}
