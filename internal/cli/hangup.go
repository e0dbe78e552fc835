package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// hangups are the SIGHUPs that this process has got. On Windows there are none.
type hangups chan os.Signal

// catchHangups collects SIGHUPs until stop is called. A server does that before it reads its files: until then, and
// after stop, SIGHUP ends the process.
func catchHangups() hangups {
	caught := make(hangups, 1)
	signal.Notify(caught, syscall.SIGHUP)
	return caught
}

func (h hangups) stop() { signal.Stop(h) }

// each calls reload at each SIGHUP, and at one that came before, until the context ends or done is called.
func (h hangups) each(ctx context.Context, reload func()) (done func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-h:
				reload()
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}
