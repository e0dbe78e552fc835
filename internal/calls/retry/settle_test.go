package retry

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestSettle counts the looks and the writes, while others undo the first writes.
func TestSettle(t *testing.T) {
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		undone, tries int
		looks, writes int
		look, write   error
		want          error
	}{
		"already":        {undone: -1, tries: 3, looks: 1},
		"at once":        {tries: 3, looks: 2, writes: 1},
		"replaced twice": {undone: 2, tries: 3, looks: 4, writes: 3},
		"replaced":       {undone: 9, tries: 3, looks: 4, writes: 3, want: ErrUnsettled},
		"cannot read":    {tries: 3, looks: 1, look: broken, want: broken},
		"cannot write":   {tries: 3, looks: 1, writes: 1, write: broken, want: broken},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const pause = time.Second
				looks, writes := 0, 0
				began := time.Now()
				err := Settle(t.Context(), tt.tries, pause, func(context.Context) (func(context.Context) error, error) {
					looks++
					if tt.look != nil || writes > tt.undone {
						return nil, tt.look
					}
					return func(context.Context) error { writes++; return tt.write }, nil
				})
				if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) || looks != tt.looks || writes != tt.writes {
					t.Errorf("%v after %d looks and %d writes", err, looks, writes)
				}
				if took, least := time.Since(began), time.Duration(looks-1)*pause; took < least || took > least+time.Second/2 {
					t.Errorf("took %s, want %s", took, least)
				}
			})
		})
	}
}

// TestSettleWaitsForSlowWriters writes a list slowly: who has read it before needs as long.
func TestSettleWaitsForSlowWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wrote, looked time.Time
		err := Settle(t.Context(), 1, time.Second, func(context.Context) (func(context.Context) error, error) {
			if !wrote.IsZero() {
				looked = time.Now()
				return nil, nil
			}
			return func(context.Context) error { time.Sleep(5 * time.Second); wrote = time.Now(); return nil }, nil
		})
		if err != nil || looked.Sub(wrote) < 10*time.Second {
			t.Errorf("%v, looked after %s", err, looked.Sub(wrote))
		}
	})
}

func TestSettleEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := Settle(ctx, 3, time.Hour, func(context.Context) (func(context.Context) error, error) {
		return func(context.Context) error { cancel(); return nil }, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
