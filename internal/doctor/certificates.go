package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// certificates examines the certificates of the hosts: a proxy that reads TLS traffic
// has its own.
type certificates struct{}

// Run implements [Check].
func (certificates) Run(_ context.Context, s *Session) Finding {
	var hosts []reached
	s.know(func(f *facts) { hosts = f.hosts })
	https := false
	for _, r := range hosts {
		host := hostOf(r.url)
		if r.err != nil {
			return badCertificate(host, r.err)
		}
		https = https || r.issuer != ""
		if r.issuer != "" && strings.HasSuffix(host, ".amazonaws.com") && !strings.Contains(r.issuer, "Amazon") {
			return warning(fmt.Sprintf("the certificate of %s is by %q, not by Amazon: a proxy reads the traffic", host, r.issuer),
				"Give its CA certificate to docker too (/etc/docker/certs.d/"+s.Subject.Host+"/ca.crt or the system's CAs), and to containers that pull or push.")
		}
	}
	if !https {
		return skipped("no host is called by HTTPS")
	}
	return ok("the certificates are valid")
}

func badCertificate(host string, err error) Finding {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &authority):
		by := ""
		if authority.Cert != nil {
			by = fmt.Sprintf(" (%q)", strings.Join(append(authority.Cert.Issuer.Organization, authority.Cert.Issuer.CommonName), ", "))
		}
		return failed(fmt.Sprintf("the certificate of %s is by an unknown authority%s: x509: certificate signed by unknown authority", host, by),
			"If a proxy of your organization reads the traffic, get its CA certificate and add it to the system's, or name it in AWS_CA_BUNDLE (ecrkit, AWS CLI) and /etc/docker/certs.d/HOST/ca.crt (docker).",
			"In a minimal container image, install ca-certificates.")
	case errors.As(err, &name):
		return failed(fmt.Sprintf("the certificate is not for %s: %v", host, err), "Check the endpoint and DNS: another server answers.")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return failed(fmt.Sprintf("the certificate of %s has expired or is not yet valid", host), "Set this machine's clock, or have the certificate renewed.")
	}
	return failed(fmt.Sprintf("the certificate of %s is refused: %v", host, reasonOf(err)), "Check AWS_CA_BUNDLE and SSL_CERT_FILE, and what answers at the address.")
}
