//go:build linux

package main

import (
	"fmt"
	"html"
	"strings"
)

// The chart's measures, in pixels.
const (
	chartWidth  = 840
	chartMargin = 16
	panelGap    = 32
	panelWidth  = (chartWidth - 2*chartMargin - panelGap) / 2
	titleHeight = 40
	barHeight   = 14
	barStep     = 20
	labelWidth  = 58
	valueWidth  = 84
	panelBottom = 18
	headHeight  = 52
)

// The colours are of one hue for ours and grey for the others, on a ground of the chart's own, so that it can be
// read on any page; an image in a page knows the reader's preference too.
const chartStyle = `
  .ground { fill: #ffffff } .ink { fill: #1f2328 } .quiet { fill: #59636e } .ours { fill: #0969da } .theirs { fill: #afb8c1 } .rule { stroke: #d1d9e0 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } .ink { fill: #f0f6fc } .quiet { fill: #9198a1 } .ours { fill: #4493f8 } .theirs { fill: #545d68 } .rule { stroke: #3d444d }
  }
  text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", Helvetica, Arial, sans-serif }
  .title { font-weight: 600; font-size: 13px } .head { font-weight: 600; font-size: 15px } .bold { font-weight: 600 }
`

// A bar is one program in a panel.
type bar struct {
	name    string
	seconds float64
	absent  string // what stands in place of a result
	ours    bool
}

// bars are ours as it is by default and the others.
func bars(c caseResult) (list []bar) {
	for _, r := range c.Rows {
		if r.Program == ours && !r.Main {
			continue
		}
		b := bar{name: r.Program, ours: r.Program == ours}
		seconds, ok := r.seconds()
		switch {
		case ok:
			b.seconds = seconds
		case strings.HasPrefix(r.Error, "failed"):
			b.absent = "failed"
		default:
			b.absent = r.Error
		}
		list = append(list, b)
	}
	return list
}

// chart draws the main cases, each on a scale of its own.
func chart(r Results) string {
	var panels []caseResult
	for _, c := range r.Cases {
		if c.Short != "" {
			panels = append(panels, c)
		}
	}
	var b strings.Builder
	y := float64(headHeight)
	for i := 0; i < len(panels); i += 2 {
		height := 0.0
		for n, c := range panels[i:min(i+2, len(panels))] {
			height = max(height, panel(&b, c, float64(chartMargin+n*(panelWidth+panelGap)), y))
		}
		y += height
	}
	head := "Seconds, less is better; each case on a scale of its own"
	if r.Quick {
		head = "A trial with small sizes: these figures say nothing"
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%d" height="%.0f" role="img" aria-label="%s">
<style>%s</style>
<rect class="ground" width="100%%" height="100%%"/>
<text class="head ink" x="%d" y="30">%s</text>
%s</svg>
`, chartWidth, y, chartWidth, y, html.EscapeString(head), chartStyle, chartMargin, html.EscapeString(head), b.String())
}

// panel draws one case and returns its height.
func panel(b *strings.Builder, c caseResult, x, y float64) float64 {
	list := bars(c)
	longest := 0.0
	for _, bar := range list {
		longest = max(longest, bar.seconds)
	}
	fmt.Fprintf(b, `<text class="title ink" x="%.0f" y="%.0f">%s</text><text class="quiet" x="%.0f" y="%.0f">%s</text>`+"\n",
		x, y+13, html.EscapeString(c.Short), x, y+29, html.EscapeString(c.Shape))
	top := y + titleHeight
	left := x + labelWidth
	for i, bar := range list {
		row := top + float64(i*barStep)
		class, weight := "theirs", ""
		if bar.ours {
			class, weight = "ours", " bold"
		}
		fmt.Fprintf(b, `<text class="ink%s" x="%.0f" y="%.1f" text-anchor="end">%s</text>`, weight, left-8, row+barHeight-3, html.EscapeString(bar.name))
		if bar.absent != "" {
			fmt.Fprintf(b, `<text class="quiet" x="%.0f" y="%.1f">%s</text>`+"\n", left+4, row+barHeight-3, html.EscapeString(bar.absent))
			continue
		}
		width := 1.0
		if longest > 0 {
			width = max(1, bar.seconds/longest*float64(panelWidth-labelWidth-valueWidth))
		}
		fmt.Fprintf(b, `<rect class="%s" x="%.0f" y="%.1f" width="%.1f" height="%d" rx="2"/>`, class, left, row, width, barHeight)
		fmt.Fprintf(b, `<text class="ink%s" x="%.1f" y="%.1f">%s</text>`+"\n", weight, left+width+6, row+barHeight-3, chartSeconds(bar.seconds))
	}
	height := float64(len(list) * barStep)
	fmt.Fprintf(b, `<line class="rule" x1="%.0f" x2="%.0f" y1="%.1f" y2="%.1f"/>`+"\n", left, left, top-3, top+height-barStep+barHeight+3)
	return titleHeight + height + panelBottom
}

func chartSeconds(s float64) string {
	switch {
	case s >= 10:
		return fmt.Sprintf("%.0f s", s)
	case s >= 1:
		return fmt.Sprintf("%.1f s", s)
	}
	return fmt.Sprintf("%.2f s", s)
}
