package main

import (
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A chart shows the medians of some rows as bars.
type chart struct {
	file, title string
	units       []unit
	log         bool // the scale is logarithmic
}

var charts = []chart{
	{"roundtrips.svg", "Round trips: less is better (logarithmic)", []unit{roundTrips}, true},
	{"throughput.svg", "Share of what is possible, in %: more is better", []unit{shareOfLink, shareOfFUSE}, false},
}

// barColors are of the contestants, in their order.
var barColors = []color.Color{
	color.RGBA{0x1b, 0x6c, 0xa8, 0xff}, color.RGBA{0x5d, 0xa9, 0xdd, 0xff}, color.RGBA{0x2e, 0x8b, 0x74, 0xff}, color.RGBA{0x9f, 0xcf, 0xee, 0xff}, color.RGBA{0x2f, 0x4f, 0x8f, 0xff},
	color.RGBA{0xd9, 0x8e, 0x04, 0xff}, color.RGBA{0xf2, 0xc5, 0x5c, 0xff}, color.RGBA{0xb0, 0x3a, 0x2e, 0xff},
	color.RGBA{0x60, 0x60, 0x60, 0xff}, color.RGBA{0xa0, 0xa0, 0xa0, 0xff}, color.RGBA{0xd0, 0xd0, 0xd0, 0xff},
}

// writeCharts draws the charts of the first server's rows into a directory and returns the
// names of the files. Charts without rows are left out.
func (r *Result) writeCharts(dir string) (files []string, err error) {
	for _, c := range charts {
		rows := slices.DeleteFunc(slices.Clone(r.Rows), func(row *Row) bool {
			return len(row.Cells) == 0 || row.Server != r.Rows[0].Server || !slices.Contains(c.units, row.Unit)
		})
		if len(rows) == 0 {
			continue
		}
		if err := c.draw(filepath.Join(dir, c.file), rows); err != nil {
			return nil, err
		}
		files = append(files, c.file)
	}
	return files, nil
}

// leastShown is where a logarithmic scale begins.
const leastShown = 0.1

// scale is where on the axis a value lies.
func (c chart) scale(v float64) float64 {
	if c.log {
		return math.Log10(max(v, leastShown) / leastShown)
	}
	return v
}

func (c chart) draw(file string, rows []*Row) error {
	columns := group{rows: rows}.columns()
	columns = slices.DeleteFunc(columns, func(name string) bool { return name == ceiling }) // 100 by definition
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	p := plot.New()
	p.Title.Text = c.title
	p.Legend.Top = true
	thick := vg.Points(7)
	slices.Reverse(rows) // the first row is on top
	for i, name := range columns {
		values := make(plotter.Values, len(rows))
		for j, row := range rows {
			if cell := row.cell(name); cell != nil && len(cell.Values) > 0 {
				values[j] = c.scale(median(cell.Values))
			}
		}
		bars, err := plotter.NewBarChart(values, thick)
		if err != nil {
			return err
		}
		bars.Horizontal = true
		bars.LineStyle.Width = 0
		bars.Color = barColors[slices.IndexFunc(contestants, func(k contestant) bool { return k.name == name })]
		bars.Offset = thick * vg.Length(float64(len(columns)-1)/2-float64(i))
		p.Add(bars)
		p.Legend.Add(name, bars)
	}
	targets := &targetMarks{at: make([]float64, len(rows))}
	titles := make([]string, len(rows))
	for j, row := range rows {
		targets.at[j] = c.scale(row.Target)
		titles[j] = strings.ReplaceAll(row.Title, "`", "")
	}
	p.Add(targets)
	p.Legend.Add("ftpfs has to reach", targets)
	p.NominalY(titles...)
	p.X.Min, p.X.Max = 0, 1.35*p.X.Max // room for the legend
	if !c.log {
		p.X.Max = 140 // bare clients have no FUSE to pass
	}
	if c.log {
		p.X.Tick.Marker = plot.TickerFunc(decades)
	}
	height := thick*vg.Length(len(rows)*(len(columns)+1)) + 3*vg.Centimeter
	canvas := vgsvg.New(28*vg.Centimeter, height)
	p.Draw(draw.New(canvas))
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(out); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// decades are the ticks of a logarithmic scale.
func decades(_, most float64) []plot.Tick {
	var ticks []plot.Tick
	for d := 0.0; d <= math.Ceil(most); d++ {
		ticks = append(ticks, plot.Tick{Value: d, Label: number(leastShown * math.Pow(10, d))})
	}
	return ticks
}

// targetMarks are strokes across the bars of each row that has a target.
type targetMarks struct{ at []float64 }

func (m *targetMarks) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for j, at := range m.at {
		if at > 0 {
			c.StrokeLine2(targetLine, x(at), y(float64(j)-0.4), x(at), y(float64(j)+0.4))
		}
	}
}

// Thumbnail draws the mark in the legend.
func (m *targetMarks) Thumbnail(c *draw.Canvas) {
	middle := c.Center().X
	c.StrokeLine2(targetLine, middle, c.Min.Y, middle, c.Max.Y)
}

var targetLine = draw.LineStyle{Color: color.Black, Width: vg.Points(1.2)}
