package docker

import (
	"context"

	"github.com/moby/moby/client"
)

// EngineInfo is what a docker engine says of itself.
type EngineInfo struct {
	Version string // such as "29.1.0"
	RootDir string // on the engine's machine
	// The proxies with which the engine downloads images.
	HTTPProxy, HTTPSProxy, NoProxy string
}

// Info asks the engine.
func (d Daemon) Info(ctx context.Context) (EngineInfo, error) {
	c, err := d.connect()
	if err != nil {
		return EngineInfo{}, err
	}
	defer c.Close() // nothing was written
	result, err := c.Info(ctx, client.InfoOptions{})
	if err != nil {
		return EngineInfo{}, daemonError("docker", c, err)
	}
	i := result.Info
	return EngineInfo{Version: i.ServerVersion, RootDir: i.DockerRootDir, HTTPProxy: i.HTTPProxy, HTTPSProxy: i.HTTPSProxy, NoProxy: i.NoProxy}, nil
}
