package cli

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/ecrkit/ecrkit/localecr"
)

// checkAddresses returns a usage error for an address or host name that has a wrong form.
func (f localFlags) checkAddresses() error {
	if err := checkListenAddress("addr", f.addr); err != nil {
		return err
	}
	if f.downloadAddr != "" && f.downloadAddr != localecr.SamePort {
		if err := checkListenAddress("download-addr", f.downloadAddr); err != nil {
			return err
		}
	}
	for _, name := range f.hostNames {
		if name == "" || strings.ContainsAny(name, "/ ") {
			return usagef("--host-name %s: write a name without a scheme, such as host.docker.internal", name)
		}
	}
	return nil
}

func checkListenAddress(flag, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return usagef("--%s %s: write HOST:PORT with a port from 0 to 65535, such as %s", flag, address, defaultLocalAddr)
	}
	return nil
}

// adviseAddress adds to the error of an address in use which flag to change.
func (f localFlags) adviseAddress(err error) error {
	var failed *net.OpError
	if errors.As(err, &failed) && failed.Addr != nil && f.downloadAddr != "" && failed.Addr.String() == f.downloadAddr && f.downloadAddr != f.addr {
		return fmt.Errorf("%w; use another --download-addr", err)
	}
	return fmt.Errorf("%w; use another --addr, or --addr 127.0.0.1:0 for a free port", err)
}
