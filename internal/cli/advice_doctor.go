package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/auth"
)

// seeDoctor is the advice about a failure that can have many causes: of the network, of
// certificates, or a permission. It is "" for any other, and where no registry is known.
func (app *App) seeDoctor(cmd *cobra.Command, err error) string {
	if cmd.Name() == "doctor" || errors.Is(err, context.Canceled) || !hasManyCauses(err) {
		return ""
	}
	if host := app.hostOf(cmd, err); host != "" {
		return fmt.Sprintf("`ecrkit doctor %s` finds the cause", host)
	}
	return ""
}

func hasManyCauses(err error) bool {
	var (
		address     *url.Error
		op          *net.OpError
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		api         smithy.APIError
	)
	if errors.As(err, &api) {
		return slices.Contains([]string{"AccessDenied", "AccessDeniedException"}, api.ErrorCode())
	}
	return errors.As(err, &address) || errors.As(err, &op) || errors.As(err, &name) || errors.As(err, &certificate)
}

// hostOf returns the host of the registry that err is about: of several in the arguments
// the one that the text names.
func (app *App) hostOf(cmd *cobra.Command, err error) string {
	var explained *auth.Error
	if errors.As(err, &explained) && explained.Registry.Host != "" {
		return explained.Registry.Host
	}
	var hosts []string
	for _, arg := range cmd.Flags().Args() {
		r, err := app.parseReference(arg)
		switch {
		case err != nil || !r.IsRepository():
		case r.Registry.Host != "":
			hosts = append(hosts, r.Registry.Host)
		default:
			hosts = append(hosts, r.Host)
		}
	}
	for _, host := range hosts {
		if len(hosts) == 1 || strings.Contains(err.Error(), host) {
			return host
		}
	}
	return ""
}
