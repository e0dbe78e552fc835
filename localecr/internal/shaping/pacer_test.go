package shaping

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestPacer(t *testing.T) {
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	const ms = time.Millisecond
	type sent struct {
		at   time.Duration // since start
		size int
		want time.Duration // arrival since start
	}
	tests := []struct {
		name string
		pace pacer
		sent []sent
	}{
		{"latency only", pacer{delay: 10 * ms}, []sent{{0, 1, 10 * ms}, {0, 1 << 20, 10 * ms}, {5 * ms, 1, 15 * ms}}},
		{"rate only", pacer{rate: 1000}, []sent{{0, 100, 100 * ms}, {0, 100, 200 * ms}, {150 * ms, 100, 300 * ms}}},
		{"rate and latency", pacer{rate: 1000, delay: 10 * ms}, []sent{{0, 100, 110 * ms}, {0, 100, 210 * ms}}},
		{"idle time earns nothing", pacer{rate: 1000}, []sent{{0, 100, 100 * ms}, {1000 * ms, 100, 1100 * ms}}},
		{"burst", pacer{rate: 1000, burst: 50 * ms}, []sent{{0, 50, 0}, {0, 50, 50 * ms}, {0, 50, 100 * ms}, {500 * ms, 50, 500 * ms}}},
		{"late sender makes up for a burst", pacer{rate: 1000, burst: 50 * ms}, []sent{{0, 50, 0}, {40 * ms, 50, 50 * ms}}},
		{"handshake", pacer{delay: 10 * ms, open: start.Add(20 * ms)}, []sent{{0, 1, 30 * ms}, {15 * ms, 1, 30 * ms}, {25 * ms, 1, 35 * ms}}},
		{"handshake is not shortened by a burst", pacer{rate: 1000, burst: 50 * ms, delay: 10 * ms, open: start.Add(20 * ms)}, []sent{{0, 10, 30 * ms}}},
		{"end of stream follows the bytes", pacer{rate: 1000, delay: 10 * ms}, []sent{{0, 100, 110 * ms}, {0, 0, 110 * ms}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i, s := range tt.sent {
				if got := tt.pace.schedule(start.Add(s.at), s.size).Sub(start); got != s.want {
					t.Errorf("piece %d arrives at %v, want %v", i, got, s.want)
				}
			}
		})
	}
}

// However a stream is cut and however late its sender wakes, it takes its time
// to the nanosecond as long as the link is never idle.
func TestPacerKeepsTheRate(t *testing.T) {
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, rate := range []int64{1, 3, 1 << 20, 20<<20 + 7, 1 << 33} {
		pace := pacer{rate: rate}
		random := rand.New(rand.NewPCG(1, uint64(rate)))
		now, last, total := start, start, int64(0)
		for range 10000 {
			size := 1 + random.IntN(3)
			total += int64(size)
			due := pace.schedule(now, size)
			if due.Before(last) {
				t.Fatal("a piece overtakes another")
			}
			last = due
			now = now.Add(time.Duration(random.Int64N(int64(due.Sub(now)) + 1)))
		}
		want := time.Duration(float64(total) / float64(rate) * float64(time.Second))
		if got := last.Sub(start); (got - want).Abs() > want/1e9+1 {
			t.Errorf("%d bytes at %d/s took %v, want %v", total, rate, got, want)
		}
	}
}

func TestShapeLimits(t *testing.T) {
	tests := []struct {
		shape         Shape
		window, chunk int
	}{
		{Shape{Latency: time.Second}, 1 << 20, 64 << 10},
		{Shape{Rate: 1 << 10}, 16 << 10, 2 << 10},
		{Shape{Rate: 1 << 20}, 128 << 10, 20971},
		{Shape{Rate: 20 << 20}, 256 << 10, 64 << 10},
		{Shape{Rate: 20 << 20, Latency: 10 * time.Millisecond}, 256<<10 + 209715, 64 << 10},
		{Shape{Rate: 1 << 62, Latency: time.Hour}, 1 << 20, 64 << 10},
		{Shape{Rate: -1, Latency: -1}, 1 << 20, 64 << 10},
	}
	for _, tt := range tests {
		if w, c := tt.shape.window(), tt.shape.chunk(); w != tt.window || c != tt.chunk {
			t.Errorf("%+v: window %d, chunk %d, want %d, %d", tt.shape, w, c, tt.window, tt.chunk)
		}
	}
}
