package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecrkit/ecrkit/internal/loopback"
	"github.com/ecrkit/ecrkit/localecr"
	"github.com/ecrkit/ecrkit/transfer/content"
)

const localHealthHelp = `Report whether the local ECR is ready: exit code 0, or 1 with the reason.

  ecrkit local health
  ecrkit local health --addr ecr:4510 --wait 30s   # at most so long, until it is ready

It is the health check of the image, which contains no shell and no curl.

With --output json one object, that of /_ecrkit/health: status, url, registry, time.`

// maxHealth bounds the answer of a local ECR in bytes, healthTime how long it may take. healthInterval is how long
// --wait waits before it asks again.
const (
	maxHealth      = 64 << 10
	healthTime     = 10 * time.Second
	healthInterval = 100 * time.Millisecond
)

func newLocalHealthCommand(app *App) *cobra.Command {
	var addr string
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Report whether the local ECR is ready",
		Long:  localHealthHelp,
		Args:  arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, _, err := net.SplitHostPort(addr); err != nil {
				return usagef("--addr %s: write HOST:PORT, as `ecrkit local` printed it", addr)
			}
			health, err := app.waitHealthy(cmd.Context(), addr, wait)
			if err != nil {
				return err
			}
			return app.PrintResult(health, fmt.Sprintf("local ECR at %s is ready\n", addr))
		},
	}
	cmd.Flags().StringVar(&addr, "addr", defaultLocalAddr, "`host:port` that the local ECR listens on")
	timeVar(cmd.Flags(), &wait, "wait", 0, "how long to wait until it is ready")
	return cmd
}

// waitHealthy asks the local ECR at addr until it is ready, or the wait is over. Its error is that of the last answer.
func (app *App) waitHealthy(ctx context.Context, addr string, wait time.Duration) (localecr.Health, error) {
	client := &http.Client{Timeout: healthTime, Transport: loopback.NewTransport()}
	defer client.CloseIdleConnections()
	over := time.After(wait)
	for asked := 0; ; asked++ {
		health, err := localHealth(ctx, client, addr)
		if err == nil || wait == 0 {
			return health, err
		}
		if asked == 0 {
			app.Messagef("waiting up to %v for the local ECR at %s", wait, addr)
		}
		select {
		case <-ctx.Done():
			return health, context.Cause(ctx)
		case <-over:
			return health, fmt.Errorf("not ready after %v: %w", wait, err)
		case <-time.After(healthInterval):
		}
	}
}

// localHealth returns the answer of the local ECR at addr if it is ready. Both its plain and its HTTPS ports answer to
// plain HTTP.
func localHealth(ctx context.Context, client *http.Client, addr string) (localecr.Health, error) {
	var health localecr.Health
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/_ecrkit/health", nil)
	if err != nil {
		return health, usagef("--addr %s: %w", addr, err)
	}
	response, err := client.Do(request)
	if refused(err) {
		return health, fmt.Errorf("nothing listens at %s; is `ecrkit local` running?", addr)
	}
	if err != nil {
		return health, fmt.Errorf("local ECR at %s: %w", addr, err)
	}
	defer response.Body.Close()
	data, err := content.ReadLimited(response.Body, maxHealth)
	if err != nil {
		return health, fmt.Errorf("local ECR at %s: %w", addr, err)
	}
	if json.Unmarshal(data, &health) != nil || health.Registry == "" {
		return health, fmt.Errorf("what listens at %s is not a local ECR: it answered %s", addr, response.Status)
	}
	if response.StatusCode != http.StatusOK || health.Status != localecr.StatusOK {
		return health, fmt.Errorf("the local ECR at %s is not ready: its status is %q", addr, health.Status)
	}
	return health, nil
}
