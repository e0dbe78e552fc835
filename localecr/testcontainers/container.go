package testcontainers

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// port is where the image serves the AWS API and the registry.
const port = "4510/tcp"

// startTime is how long the container or program may take until it is ready.
const startTime = time.Minute

// A Container is a local ECR in a container.
type Container struct {
	testcontainers.Container
	Server
}

// Run starts a container of an image of the local ECR and waits until it is ready. Further arguments of `ecrkit local`,
// such as quotas, are options too:
//
//	Run(ctx, "ecrkit-local", testcontainers.WithCmdArgs("--quotas", "default"))
//
// The result is not nil if the container was created, even after an error: the caller terminates it. The error quotes the
// end of its messages.
func Run(ctx context.Context, img string, opts ...testcontainers.ContainerCustomizer) (*Container, error) {
	opts = append([]testcontainers.ContainerCustomizer{
		testcontainers.WithExposedPorts(port),
		// The port is published under a number that the server does not know: downloads have to be on the same.
		testcontainers.WithCmdArgs("--download-addr", "same"),
		testcontainers.WithWaitStrategyAndDeadline(startTime, wait.ForHTTP("/_ecrkit/health").WithPort(port)),
	}, opts...)
	started, err := testcontainers.Run(ctx, img, opts...)
	var c *Container
	if started != nil {
		c = &Container{Container: started, Server: Server{func(ctx context.Context) (string, error) {
			return started.PortEndpoint(ctx, port, "")
		}}}
	}
	if err != nil {
		return c, fmt.Errorf("run the local ECR: %w%s", err, messages(ctx, started))
	}
	return c, nil
}

// messages returns what a container has written, on lines of its own; "" if that is not known.
func messages(ctx context.Context, c *testcontainers.DockerContainer) string {
	if c == nil {
		return ""
	}
	logs, err := c.Logs(ctx)
	if err != nil {
		return ""
	}
	defer logs.Close()
	var last lastBytes
	_, _ = io.Copy(&last, logs) // of a part of them the error has that part
	if text := last.String(); text != "" {
		return "\n" + text
	}
	return ""
}
