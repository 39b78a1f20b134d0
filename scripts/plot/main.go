// Plot draws the tables that scripts/bench has written as SVG. It is a module of its own, so that
// what draws is no part of what the project is built on.
//
//	cd scripts/plot && go run . ../../bin/bench ../../docs
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// A figure is what is drawn of a table.
type figure struct {
	name, title, x, y string
	lines             []line
}

// A line is one column against the first one. A cell may have several values: which says which.
type line struct {
	label         string
	column, which int
}

// Of messages there are two rows: a table says that better.
var figures = []figure{
	{"scale", "A join and a leave, on real hosts", "members", "s", []line{
		{"a join, p50", 1, 0}, {"a join, p95", 1, 1}, {"a leave, p50", 2, 0}, {"a leave, p95", 2, 1}}},
	{"attributes", "Attributes: an \"and\" of n", "n", "ms", []line{
		{"encrypt", 1, 0}, {"encrypt, circl alone", 2, 0}, {"decrypt", 3, 0}, {"decrypt, circl alone", 4, 0}}},
	{"commits", "A commit", "members", "ms", []line{
		{"make", 1, 0}, {"take", 2, 0}, {"n X25519: make", 5, 0}, {"n X25519: take", 6, 0}}},
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: plot TABLES DOCS")
	}
	for _, f := range figures {
		rows, err := table(filepath.Join(os.Args[1], f.name+".md"))
		if os.IsNotExist(err) {
			continue // it was not measured
		}
		if err == nil {
			err = f.draw(rows, filepath.Join(os.Args[2], "plot-"+f.name+".svg"))
		}
		if err != nil {
			log.Fatalf("%s: %v", f.name, err)
		}
	}
}

// table reads the rows of the first table whose first cells are numbers.
func table(file string) (rows [][]string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		cells := strings.Split(strings.Trim(s.Text(), "| "), " | ")
		switch _, err := strconv.Atoi(cells[0]); {
		case err == nil:
			rows = append(rows, cells)
		case len(rows) > 0:
			return rows, nil
		}
	}
	return rows, nil
}

// values are those of a cell, durations in seconds.
func values(cell string) (out []float64) {
	for _, w := range regexp.MustCompile(`([0-9.]+[a-zµ]+)+|[0-9.]+`).FindAllString(cell, -1) {
		if v, err := strconv.ParseFloat(w, 64); err == nil {
			out = append(out, v)
		} else if d, err := time.ParseDuration(w); err == nil {
			out = append(out, d.Seconds())
		}
	}
	return out
}

func (f *figure) draw(rows [][]string, file string) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text, p.Legend.Top, p.Legend.Left = f.title, f.x, f.y, true, true
	p.X.Scale, p.X.Tick.Marker, p.Y.Min = plot.LogScale{}, plot.LogTicks{Prec: -1}, 0
	var args []any
	for _, l := range f.lines {
		var xy plotter.XYs
		for _, row := range rows {
			x := values(row[0])
			if l.column >= len(row) || len(x) == 0 {
				return fmt.Errorf("a row of %d cells", len(row))
			}
			if v := values(row[l.column]); l.which < len(v) {
				xy = append(xy, plotter.XY{X: x[0], Y: v[l.which]})
			}
		}
		args = append(args, l.label, xy)
	}
	if err := plotutil.AddLinePoints(p, args...); err != nil {
		return err
	}
	p.Y.Max *= 1.4 // for the legend
	return p.Save(16*vg.Centimeter, 10*vg.Centimeter, file)
}
