//go:build trial && unix

package helpertrial

import "testing"

func TestTrialColdTogether(t *testing.T) {
	t.Parallel()
	coldTogether(t, 64)
}

func TestTrialColdApart(t *testing.T) {
	t.Parallel()
	coldApart(t, 64)
}

func TestTrialRotatingWebIdentity(t *testing.T) {
	t.Parallel()
	rotatingWebIdentity(t, 100)
}

func TestTrialIsolation(t *testing.T) {
	t.Parallel()
	isolation(t, 1000)
}

func TestTrialNoSecretIsShownByCommands(t *testing.T) {
	t.Parallel()
	noSecretIsShownByCommands(t, func(int, int, int) bool { return true })
}
