package server

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

var depthOptions = []option{{"1", "Sources and systems"}, {"2", "and purposes"}, {"3", "and recipients"}, {"4", "and countries"}}

// lineageFilters are the fields of the form that are out of sight at first.
var lineageFilters = []string{"event", "system", "purpose", "recipient", "category", "fold"}

func (s *server) lineagePage() asking[*answer.LineageAnswer] {
	return asking[*answer.LineageAnswer]{
		server: s, question: access.Lineage, path: "/lineage", title: "Where did data come from, and where did they go?", answered: "Where data came from and went to",
		fields: slices.Concat([]string{"controller", "scheme", "from", "to", "depth", "reason"}, lineageFilters), linked: []string{"controller", "event"},
		draw: lineageForm, show: lineageView, field: actsField, concerns: ofLineage,
		read: func(r *http.Request, f *form) (about, func(context.Context, answer.Deps) (*answer.LineageAnswer, error), error) {
			req := answer.LineageRequest{ActsRequest: f.acts()}
			of := about{controller: req.Controller, named: req.NamesActors()}
			if p := personOf(r, f); p != (answer.Person{}) {
				req.Person, of.person = &p, p
			}
			var err error
			if f.Get("event") != "" {
				if req.Event, err = answer.ParsePlace(f.Get("event")); err != nil {
					return of, nil, err
				}
			}
			for name, to := range map[string]*int{"depth": &req.Depth, "fold": &req.Fold} {
				if f.Get(name) == "" {
					continue
				}
				if *to, err = strconv.Atoi(f.Get(name)); err != nil || *to < 1 || *to > 200 {
					return of, nil, &answer.Fault{Pointer: "/" + name, Problem: "this is no number that can be shown", Mend: "write a number from 1 to 200"}
				}
			}
			return of, func(ctx context.Context, d answer.Deps) (*answer.LineageAnswer, error) {
				return answer.Lineage(ctx, d, req)
			}, nil
		},
	}
}

// ofWhom says whose data are followed from an event.
func ofWhom(a *answer.LineageAnswer) string {
	switch {
	case a.AsWhole:
		return ": about a cohort of " + plural(uint64(a.Pseudonyms), "person", "persons") + ", which is followed as a whole only: the members are too many"
	case a.Event.ByCohort:
		return ": the data of the " + plural(uint64(a.Pseudonyms), "member", "members") + " of its cohort, in its categories"
	case a.Pseudonyms > 1:
		return ": the data of its " + number(uint64(a.Pseudonyms)) + " pseudonyms, in its categories"
	default:
		return ": the same person's data, in its categories"
	}
}

// kindNames are the columns of a lineage, from where data come to where they go.
var kindNames = []option{
	{answer.NodeDataSource, "Source of the data"},
	{answer.NodeSystem, "System"},
	{answer.NodePurpose, "Purpose"},
	{answer.NodeRecipient, "Recipient"},
	{answer.NodeOnward, "Their recipient"},
	{answer.NodeCountry, "Country"},
}

func kindName(kind string) string {
	for _, k := range kindNames {
		if k.Value == kind {
			return k.Label
		}
	}
	return kind
}

// nodeName is what a node of the graph is called.
func nodeName(a *answer.LineageAnswer, id string) string {
	for i := range a.Nodes {
		if a.Nodes[i].ID == id {
			return nodeLabel(&a.Nodes[i])
		}
	}
	return id
}

func nodeLabel(n *answer.LineageNode) string {
	if n.Name == "" {
		return "not stated"
	}
	return n.Name
}

// drawing is the graph as lines and boxes, in units of its own.
type drawing struct {
	Width, Height int
	Heads         []drawnText
	Boxes         []drawnBox
	Lines         []drawnLine
}

type drawnText struct{ X, Y, Text string }

type drawnBox struct{ X, Y, Name, Count, Full, TextX, NameY, CountY string }

type drawnLine struct{ Class, Path, Width string }

const (
	boxWidth, boxHeight = 186, 40
	boxGap, columnGap   = 10, 60
	headHeight          = 26
)

func newDrawing(a *answer.LineageAnswer) drawing {
	type spot struct{ x, y float64 }
	spots := make(map[string]spot)
	var d drawing
	x := 1.0
	for _, kind := range kindNames {
		y := float64(headHeight)
		for i := range a.Nodes {
			n := &a.Nodes[i]
			if n.Kind != kind.Value {
				continue
			}
			if y == headHeight {
				d.Heads = append(d.Heads, drawnText{f(x), f(14), kind.Label})
			}
			spots[n.ID] = spot{x, y}
			d.Boxes = append(d.Boxes, drawnBox{
				X: f(x), Y: f(y), Name: short(nodeLabel(n), 24), Count: plural(n.Events, "event", "events"), Full: nodeLabel(n) + ": " + plural(n.Events, "event", "events"),
				TextX: f(x + 8), NameY: f(y + 17), CountY: f(y + 33),
			})
			y += boxHeight + boxGap
		}
		if y > headHeight {
			x += boxWidth + columnGap
			d.Height = max(d.Height, int(y))
		}
	}
	d.Width = max(int(x)-columnGap+2, 1)
	most := uint64(1)
	for i := range a.Edges {
		most = max(most, a.Edges[i].Events)
	}
	for i := range a.Edges {
		e := &a.Edges[i]
		from, to := spots[e.From], spots[e.To]
		x1, y1, x2, y2 := from.x+boxWidth, from.y+boxHeight/2, to.x, to.y+boxHeight/2
		d.Lines = append(d.Lines, drawnLine{
			Class: e.Verdict, Width: f(1 + 7*math.Log1p(float64(e.Events))/math.Log1p(float64(most))),
			Path: fmt.Sprintf("M%s %s C%s %s %s %s %s %s", f(x1), f(y1), f((x1+x2)/2), f(y1), f((x1+x2)/2), f(y2), f(x2), f(y2)),
		})
	}
	return d
}

// short cuts a text that is longer than n letters.
func short(text string, n int) string {
	letters := []rune(text)
	if len(letters) <= n {
		return text
	}
	return strings.TrimSpace(string(letters[:n-1])) + "…"
}

// byEvents are the edges, those with most events first.
func byEvents(edges []answer.LineageEdge) []answer.LineageEdge {
	all := slices.Clone(edges)
	slices.SortStableFunc(all, func(a, b answer.LineageEdge) int {
		switch {
		case a.Events > b.Events:
			return -1
		case a.Events < b.Events:
			return 1
		}
		return 0
	})
	return all
}

// kindOf is the kind of the node of that id, in words.
func kindOf(id string) string {
	kind, _, _ := strings.Cut(id, ":")
	return "(" + strings.ToLower(kindName(kind)) + ")"
}
