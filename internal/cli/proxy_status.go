package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/proxy"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const proxyStatusHelp = `Show what a running proxy does: requests, layers on their way, and its cache.

  ecrkit proxy status
  ecrkit proxy status --socket /run/user/1000/ecrkit.sock --output json

It ends with 1 if no proxy answers. With --output json one object, that of /healthz: status,
since, requestsInProgress, fetches, followers, waiting [{registry, requests, since, reason}],
cache {bytes, limit, entries, corrupt}.`

// maxStatus bounds the answer of a proxy in bytes, statusTime how long it may take.
const (
	maxStatus  = 64 << 10
	statusTime = 10 * time.Second
)

func newProxyStatusCommand(app *App) *cobra.Command {
	var addr, socket string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what a running proxy does",
		Long:  proxyStatusHelp,
		Args:  arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if socket != "" && cmd.Flags().Changed("addr") {
				return usagef("--addr and --socket exclude each other")
			}
			return app.proxyStatus(cmd.Context(), addr, socket)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", defaultProxyAddr, "`host:port` of the proxy")
	cmd.Flags().StringVar(&socket, "socket", "", "`path` of the Unix socket of the proxy")
	return cmd
}

// isPort reports whether s is the number of a TCP port that something can listen on.
func isPort(s string) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return err == nil && port > 0
}

func (app *App) proxyStatus(ctx context.Context, addr, socket string) error {
	network, place := "tcp", addr
	if socket != "" {
		network, place = "unix", socket
	} else if _, port, err := net.SplitHostPort(addr); err != nil || !isPort(port) {
		return usagef("--addr %s: write host:port, such as %s", addr, defaultProxyAddr)
	}
	client := &http.Client{Timeout: statusTime, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, place)
		},
	}}
	defer client.CloseIdleConnections()
	host := addr
	if socket != "" {
		host = "localhost"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/healthz", nil)
	if err != nil {
		return usagef("--addr %s: %w", addr, err)
	}
	response, err := client.Do(request)
	if refused(err) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("nothing listens at %s; is `ecrkit proxy` running?", place)
	}
	if err != nil {
		if request := (*url.Error)(nil); errors.As(err, &request) {
			err = request.Err
		}
		return fmt.Errorf("the proxy at %s does not answer: %w", place, err)
	}
	defer response.Body.Close()
	data, err := content.ReadLimited(response.Body, maxStatus)
	if err != nil {
		return fmt.Errorf("proxy at %s: %w", place, err)
	}
	var s proxy.Status
	if response.StatusCode != http.StatusOK || json.Unmarshal(data, &s) != nil || s.Since.IsZero() {
		return fmt.Errorf("what listens at %s is not a proxy of ecrkit: it answered %s", place, response.Status)
	}
	text := fmt.Sprintf("ecrkit proxy at %s, since %s\nrequests  %d in progress\nlayers    %d on their way, for %d clients\n",
		place, s.Since.Format(time.RFC3339), s.Requests, s.Fetches, s.Followers)
	for _, w := range s.Waiting {
		text += fmt.Sprintf("waiting   %d for %s, since %s: %s\n", w.Requests, w.Registry, w.Since.Format(time.RFC3339), w.Reason)
	}
	text += fmt.Sprintf("cache     %s of %s, %d entries\n",
		humanize.IBytes(uint64(s.Cache.Bytes)), humanize.IBytes(uint64(s.Cache.Limit)), s.Cache.Entries)
	if s.Cache.Corrupt > 0 {
		text += fmt.Sprintf("          %d entries were corrupt and were removed: check the disk\n", s.Cache.Corrupt)
	}
	return app.PrintResult(s, text)
}
