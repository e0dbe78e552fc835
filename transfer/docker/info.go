package docker

import (
	"context"

	"github.com/moby/moby/client"
)

// DaemonInfo is what a docker engine says of itself.
type DaemonInfo struct {
	Version string // such as "29.1.0"
	RootDir string // on the engine's machine
	// The proxies with which the engine downloads images.
	HTTPProxy, HTTPSProxy, NoProxy string
}

// Info asks the engine.
func (d Daemon) Info(ctx context.Context) (DaemonInfo, error) {
	c, err := d.connect()
	if err != nil {
		return DaemonInfo{}, err
	}
	defer c.Close() // nothing was written
	result, err := c.Info(ctx, client.InfoOptions{})
	if err != nil {
		return DaemonInfo{}, daemonError("docker", c, err)
	}
	i := result.Info
	return DaemonInfo{Version: i.ServerVersion, RootDir: i.DockerRootDir, HTTPProxy: i.HTTPProxy, HTTPSProxy: i.HTTPSProxy, NoProxy: i.NoProxy}, nil
}
