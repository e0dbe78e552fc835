//go:build trial

package ecr

import (
	"slices"
	"testing"

	"github.com/ecrkit/ecrkit/transfer"
	"github.com/ecrkit/ecrkit/transfer/layout"
)

// allCells are all operations with all faults, once and always.
func allCells(classes [][]string) (cells []faultCell) {
	for _, op := range slices.Concat(classes...) {
		for _, f := range slices.Concat(matrixFaults()...) {
			cells = append(cells, faultCell{op, f, 1}, faultCell{op, f, -1})
		}
	}
	return cells
}

// TestTrialPushFaults has every operation of a push fail in every way, once and always.
func TestTrialPushFaults(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	for _, c := range allCells(pushClasses) {
		t.Run(c.String(), func(t *testing.T) { w.push(t, c) })
	}
}

// TestTrialPullFaults has every operation of a pull fail in every way, once and always.
func TestTrialPullFaults(t *testing.T) {
	t.Parallel()
	w := newFaultWorld(t)
	mustCopy(t, layout.New(w.src), w.repository("app"), transfer.Options{Reference: "image", Tags: []string{"x"}})
	for _, c := range allCells(pullClasses) {
		t.Run(c.String(), func(t *testing.T) { w.pull(t, c) })
	}
}
