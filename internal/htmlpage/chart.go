package htmlpage

import (
	"fmt"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// Bar is a part of a bar chart.
type Bar struct {
	Label string
	Tone  Tone
	Count int
}

// segment is where a Bar is drawn, in units of a bar 1000 wide.
type segment struct {
	Bar
	x, width float64
}

// Chart is a bar whose parts are as wide as their counts, nil if all are 0.
func Chart(bars []Bar) g.Node {
	drawn := segments(bars)
	if len(drawn) == 0 {
		return nil
	}
	labels := make([]string, len(drawn))
	for n, s := range drawn {
		labels[n] = s.text()
	}
	return h.SVG(h.Class("chart"), g.Attr("viewBox", "0 0 1000 28"), g.Attr("preserveAspectRatio", "none"), h.Role("img"),
		h.Aria("label", strings.Join(labels, ", ")), Lines(g.Map(drawn, segment.rect)...))
}

func (s segment) text() string { return fmt.Sprint(s.Count, " ", s.Label) }

func (s segment) rect() g.Node {
	return g.El("rect", h.Class(string(s.Tone)), g.Attr("x", fmt.Sprintf("%.1f", s.x)), h.Width(fmt.Sprintf("%.1f", s.width)), h.Height("28"),
		g.Attr("rx", "3"), h.TitleEl(g.Text(s.text())))
}

// Tiles are buttons, one for each bar, that filter the table of the name by an attribute of its rows.
func Tiles(table, key string, bars []Bar) g.Node {
	return h.Div(h.Class("tiles"), Lines(g.Map(bars, func(b Bar) g.Node {
		class := "tile " + string(b.Tone)
		if b.Count == 0 {
			class += " none"
		}
		return h.Button(h.Type("button"), h.Class(class), h.Aria("pressed", "false"), h.Data("for", table), h.Data("key", key), h.Data("value", b.Label),
			h.Span(h.Class("number"), g.Text(fmt.Sprint(b.Count))), h.Span(h.Class("name"), g.Text(b.Label[:1]+strings.ToLower(b.Label[1:]))))
	})...))
}

// segments lays the parts of a chart side by side, each wide enough to be seen.
func segments(bars []Bar) []segment {
	const width, least, gap = 1000, 12, 4
	total, shown := 0, 0
	for _, b := range bars {
		if b.Count > 0 {
			total += b.Count
			shown++
		}
	}
	if total == 0 {
		return nil
	}
	free := float64(width - shown*least - (shown-1)*gap)
	var all []segment
	x := 0.0
	for _, b := range bars {
		if b.Count <= 0 {
			continue
		}
		w := least + free*float64(b.Count)/float64(total)
		all = append(all, segment{Bar: b, x: x, width: w})
		x += w + gap
	}
	return all
}
