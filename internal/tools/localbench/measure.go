//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// parallel calls do with 0 to n-1 from several goroutines, and returns the first error.
func parallel(ctx context.Context, goroutines, n int, do func(context.Context, int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	var running sync.WaitGroup
	for range goroutines {
		running.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(ctx, i); err != nil {
					stop(err)
				}
			}
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// rate is how fast a number of calls were, and what one cost the server.
type rate struct {
	calls int
	took  time.Duration
	cpu   time.Duration
}

func (r rate) String() string {
	return fmt.Sprintf("%.0f a second, %.0f µs of CPU each", float64(r.calls)/r.took.Seconds(), float64(r.cpu.Microseconds())/float64(r.calls))
}

// measureRate measures n calls of do from the clients.
func (b *bench) measureRate(ctx context.Context, p *process, n int, do func(context.Context, int) error) (rate, error) {
	before, err := p.cpu()
	if err != nil {
		return rate{}, err
	}
	begin := time.Now()
	if err := parallel(ctx, b.clients, n, do); err != nil {
		return rate{}, err
	}
	took := time.Since(begin)
	after, err := p.cpu()
	return rate{calls: n, took: took, cpu: after - before}, err
}

// repeats of a call whose median is taken.
const repeats = 101

// medians measures calls in turns, so that the load of the machine is the same for all.
func medians(calls ...func() error) ([]time.Duration, error) {
	took := make([][]time.Duration, len(calls))
	for range repeats {
		for i, call := range calls {
			begin := time.Now()
			if err := call(); err != nil {
				return nil, err
			}
			took[i] = append(took[i], time.Since(begin))
		}
	}
	out := make([]time.Duration, len(calls))
	for i := range took {
		out[i] = middle(took[i])
	}
	return out, nil
}

func middle(took []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(took))[len(took)/2]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }

// A list is an operation whose output has pages.
type list struct {
	operation string
	in        input
}

// walk reads all pages of 100 and returns the token of the last one, "" if there is one page only, and the time of all.
func (c *client) walk(ctx context.Context, l list) (last string, took time.Duration, err error) {
	begin := time.Now()
	for token := ""; ; {
		next, err := c.page(ctx, l, token)
		if err != nil || next == "" {
			return token, time.Since(begin), err
		}
		token = next
	}
}

// page reads the page of a token and returns that of the next one.
func (c *client) page(ctx context.Context, l list, token string) (next string, err error) {
	in := input{"maxResults": 100}
	for name, value := range l.in {
		in[name] = value
	}
	if token != "" {
		in["nextToken"] = token
	}
	var out struct{ NextToken string }
	err = c.call(ctx, l.operation, in, &out)
	return out.NextToken, err
}

// pages are the times of a list: the medians of its first and last page, and that of all pages, once.
type pages struct{ first, last, all time.Duration }

// pages measures lists, in turns.
func (c *client) pages(ctx context.Context, lists ...list) ([]pages, error) {
	out := make([]pages, len(lists))
	var calls []func() error
	for i, l := range lists {
		last, all, err := c.walk(ctx, l)
		if err != nil {
			return nil, err
		}
		out[i].all = all
		for _, token := range []string{"", last} {
			calls = append(calls, func() error { _, err := c.page(ctx, l, token); return err })
		}
	}
	took, err := medians(calls...)
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i].first, out[i].last = took[2*i], took[2*i+1]
	}
	return out, nil
}

// describeMachine says on what, and how busy, all of it is measured.
func (b *bench) describeMachine(context.Context) error {
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return err
	}
	fields := strings.Fields(string(load))
	b.printf("%d clients; %d cores, load %s before; server flags: %s\n\n", b.clients, runtime.NumCPU(), fields[0], strings.Join(b.serverFlags, " "))
	return nil
}
