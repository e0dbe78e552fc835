package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
)

// request is the program ecrkit-request of the scripts: it makes one HTTP request and prints the body of the answer. Its
// exit code is 1 unless the status is 200.
func request() {
	method := flag.String("method", http.MethodGet, "method")
	authority := flag.String("ca", "", "file with the certificates to trust")
	flag.Parse()
	if err := requestURL(*method, flag.Arg(0), *authority); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func requestURL(method, url, authority string) error {
	transport := &http.Transport{}
	if authority != "" {
		pem, err := os.ReadFile(authority)
		if err != nil {
			return err
		}
		trusted := x509.NewCertPool()
		trusted.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: trusted}
	}
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, url, response.Status)
	}
	return nil
}
