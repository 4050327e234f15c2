package answer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/trail"
)

// LineageRequest asks how data came and went: of a person, of one event, or of
// all events that are selected.
type LineageRequest struct {
	ActsRequest
	Person *Person `json:"person,omitempty" doc:"Only this person's data, linked identifiers and cohorts included."`
	Event  *Place  `json:"event,omitempty" doc:"What came before this event and after it: of its persons, in its categories. Only the controller, a period, depth and fold go with it."`
	Depth  int     `json:"depth,omitempty" minimum:"0" maximum:"5" doc:"How many columns to show: 1 where data came from and which systems did something, 2 for what purpose, 3 for whom, 4 in which country, 5 who acted on. All if left out."`
	Fold   int     `json:"fold,omitempty" minimum:"0" maximum:"200" doc:"How many nodes of each kind to show by themselves; the others become one. 12 if left out."`
}

// Kinds of a node, in the order in which data passes them.
const (
	NodeDataSource = "data-source"
	NodeSystem     = "system"
	NodePurpose    = "purpose"
	NodeRecipient  = "recipient"
	NodeCountry    = "country"
	NodeOnward     = "onward" // a recipient's own recipient
)

// LineageNode is something that data comes from, passes or goes to.
type LineageNode struct {
	ID     string `json:"id" doc:"Kind and id, as the edges name it."`
	Kind   string `json:"kind" enum:"data-source,system,purpose,recipient,country,onward"`
	Key    string `json:"key" doc:"Id in the register or as the events say; empty for those folded."`
	Name   string `json:"name"`
	Events uint64 `json:"events"`
	Folded int    `json:"folded,omitempty" doc:"How many nodes this one stands for."`
}

// LineageEdge says how often data went from one node to another.
type LineageEdge struct {
	From    string    `json:"from"`
	To      string    `json:"to"`
	Events  uint64    `json:"events"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Verdict string    `json:"verdict" enum:"allowed,review,violation" doc:"The worst of these events."`
}

// LineageAnswer is a graph of where data came from and went to.
type LineageAnswer struct {
	Controller   Controller    `json:"controller"`
	Person       *Subject      `json:"person,omitempty"`
	Event        *Entry        `json:"event,omitempty" doc:"The event that was asked about."`
	Pseudonyms   int           `json:"pseudonyms,omitempty" doc:"Of an event: how many pseudonyms of persons it names, or its cohort has."`
	AsWhole      bool          `json:"as_whole,omitempty" doc:"The event's cohort has too many members for each to be followed: only acts on the cohort as a whole are here."`
	Before       []Passage     `json:"before,omitzero" doc:"Of an event: earlier acts that its data can have come from. Those by its own system, those by which whoever acts in it was given the data, and those by which it collected them."`
	After        []Passage     `json:"after,omitzero" doc:"Of an event: where the data went from then on, from its recipient or, if it has none, from who acted; step by step as far as the trail knows of the recipients' own acts."`
	Period       Period        `json:"period"`
	AskedAt      time.Time     `json:"asked_at"`
	Events       uint64        `json:"events"`
	Nodes        []LineageNode `json:"nodes"`
	Edges        []LineageEdge `json:"edges"`
	Complete     bool          `json:"complete" doc:"False: there are more ways than can be shown, and the rarest are left out."`
	Completeness Completeness  `json:"completeness"`
}

const (
	defaultFold  = 12
	lineageDepth = 5
)

// Lineage answers how data came and went.
func Lineage(ctx context.Context, d Deps, req LineageRequest) (*LineageAnswer, error) {
	if req.Event != nil {
		return lineageOfEvent(ctx, &d, &req)
	}
	a := &LineageAnswer{AskedAt: d.now()}
	s, err := d.selection(ctx, &req.ActsRequest)
	if err != nil {
		return nil, err
	}
	a.Controller, a.Period = s.controller(), s.period
	if req.Person != nil {
		p, err := d.subject(ctx, Request{Controller: req.Controller, Person: *req.Person})
		if err != nil {
			return nil, err
		}
		a.Person, s.acts.Persons = &p.person, p.query.Persons
	}
	if err := a.graph(ctx, &d, s, cmp.Or(req.Depth, lineageDepth), cmp.Or(req.Fold, defaultFold)); err != nil {
		return nil, err
	}
	a.Completeness, err = d.completeness(ctx)
	return a, err
}

// lineageBy is what a way consists of.
var lineageBy = []trail.Dimension{trail.ByDataSource, trail.BySource, trail.ByPurpose, trail.ByRecipient, trail.ByEntity, trail.ByCountry, trail.ByOrganisation}

func (a *LineageAnswer) graph(ctx context.Context, d *Deps, s *selection, depth, fold int) error {
	counted, err := s.read.ActsByEach(ctx, s.acts, nil, lineageBy)
	if err != nil {
		return err
	}
	a.Events = totalIn(counted[0]).Events
	ways := counted[1].Tallies
	a.Complete = counted[1].Complete
	// What recipients did in turn comes after what made them recipients.
	var own, onward []*trail.Tally
	reached := make(map[string]bool)
	for i := range ways {
		for _, name := range []string{ways[i].Keys[3], ways[i].Keys[4], s.recipientName(ways[i].Keys[3])} {
			reached[strings.ToLower(name)] = name != ""
		}
	}
	for i := range ways {
		by := ways[i].Keys[6]
		if reached[strings.ToLower(by)] && !strings.EqualFold(by, s.register.Controller.Name) {
			onward = append(onward, &ways[i])
		} else {
			own = append(own, &ways[i])
		}
	}
	g := newGraph()
	g.draw(s, own, onward, depth, fold)
	a.Nodes, a.Edges = g.sorted()
	return nil
}

func newGraph() *graph {
	return &graph{nodes: make(map[string]*LineageNode), edges: make(map[[2]string]*LineageEdge)}
}

// draw adds ways, and those that recipients went on by.
func (g *graph) draw(s *selection, own, onward []*trail.Tally, depth, fold int) {
	for _, w := range own {
		g.way(s, w, NodeRecipient, depth)
	}
	for _, w := range onward {
		g.way(s, w, NodeOnward, depth)
	}
	g.fold(fold)
}

// way adds one way: from where, by which system, for what, to whom, where.
func (g *graph) way(s *selection, w *trail.Tally, kind string, depth int) {
	from, system, purpose, id, entity, country := w.Keys[0], w.Keys[1], w.Keys[2], w.Keys[3], w.Keys[4], w.Keys[5]
	last := g.node(NodeSystem, system, system, w.Events)
	if from != "" {
		g.edge(g.node(NodeDataSource, from, s.recipientName(from), w.Events), last, w)
	}
	if depth >= 2 {
		next := g.node(NodePurpose, purpose, cmp.Or(s.names.purpose(s.register.Version, purpose), "no purpose"), w.Events)
		g.edge(last, next, w)
		last = next
	}
	if depth < 3 || id == "" && entity == "" {
		return
	}
	name := cmp.Or(entity, s.recipientName(id))
	if e, ok := s.register.Recipient(id); ok {
		country = cmp.Or(country, e.Country)
		if e.Named {
			name = e.Name.In(language)
		}
	}
	if kind == NodeOnward {
		if by := g.byName(NodeRecipient, w.Keys[6]); by != "" && depth >= lineageDepth {
			last = by
		} else {
			kind = NodeRecipient
		}
	}
	to := g.node(kind, cmp.Or(id, entity), name, w.Events)
	g.edge(last, to, w)
	if depth >= 4 && country != "" {
		g.edge(to, g.node(NodeCountry, country, country, w.Events), w)
	}
}

type graph struct {
	nodes map[string]*LineageNode
	edges map[[2]string]*LineageEdge
}

func (g *graph) node(kind, key, name string, events uint64) string {
	id := kind + ":" + key
	n := g.nodes[id]
	if n == nil {
		n = &LineageNode{ID: id, Kind: kind, Key: key, Name: name}
		g.nodes[id] = n
	}
	n.Events += events
	return id
}

// byName finds a node by what it is called.
func (g *graph) byName(kind, name string) string {
	for id, n := range g.nodes {
		if n.Kind == kind && (strings.EqualFold(n.Name, name) || strings.EqualFold(n.Key, name)) {
			return id
		}
	}
	return ""
}

func (g *graph) edge(from, to string, w *trail.Tally) {
	verdict := Verdicts{w.Allowed, w.Review, w.Violation}.Worst()
	key := [2]string{from, to}
	e := g.edges[key]
	if e == nil {
		e = &LineageEdge{From: from, To: to, First: w.First, Last: w.Last, Verdict: verdict}
		g.edges[key] = e
	}
	e.add(&LineageEdge{Events: w.Events, First: w.First, Last: w.Last, Verdict: verdict})
}

func (e *LineageEdge) add(o *LineageEdge) {
	e.Events += o.Events
	if o.First.Before(e.First) {
		e.First = o.First
	}
	if o.Last.After(e.Last) {
		e.Last = o.Last
	}
	if rank(o.Verdict) > rank(e.Verdict) {
		e.Verdict = o.Verdict
	}
}

// fold makes one node of the rarest of each kind, so that a large graph can be
// read. What went to one in violation is never folded.
func (g *graph) fold(keep int) {
	bad := make(map[string]bool)
	for key, e := range g.edges {
		if e.Verdict == "violation" {
			bad[key[0]], bad[key[1]] = true, true
		}
	}
	byKind := make(map[string][]*LineageNode)
	for _, n := range g.nodes {
		byKind[n.Kind] = append(byKind[n.Kind], n)
	}
	into := make(map[string]string)
	for kind, list := range byKind {
		slices.SortFunc(list, func(a, b *LineageNode) int {
			return cmp.Or(cmp.Compare(b.Events, a.Events), strings.Compare(a.ID, b.ID))
		})
		if len(list) <= keep+1 {
			continue
		}
		other := &LineageNode{ID: kind + ":", Kind: kind}
		for _, n := range list[keep:] {
			if bad[n.ID] {
				continue
			}
			into[n.ID] = other.ID
			other.Events += n.Events
			other.Folded++
			delete(g.nodes, n.ID)
		}
		if other.Folded > 0 {
			other.Name = fmt.Sprintf("%d others", other.Folded)
			g.nodes[other.ID] = other
		}
	}
	for key, e := range g.edges {
		from, to := cmp.Or(into[key[0]], key[0]), cmp.Or(into[key[1]], key[1])
		if from == key[0] && to == key[1] {
			continue
		}
		delete(g.edges, key)
		known := g.edges[[2]string{from, to}]
		if known == nil {
			e.From, e.To = from, to
			g.edges[[2]string{from, to}] = e
			continue
		}
		known.add(e)
	}
}

var nodeOrder = []string{NodeDataSource, NodeSystem, NodePurpose, NodeRecipient, NodeOnward, NodeCountry}

func (g *graph) sorted() (nodes []LineageNode, edges []LineageEdge) {
	nodes, edges = []LineageNode{}, []LineageEdge{}
	for _, n := range g.nodes {
		nodes = append(nodes, *n)
	}
	slices.SortFunc(nodes, func(a, b LineageNode) int {
		return cmp.Or(cmp.Compare(slices.Index(nodeOrder, a.Kind), slices.Index(nodeOrder, b.Kind)), cmp.Compare(a.Folded, b.Folded), cmp.Compare(b.Events, a.Events), strings.Compare(a.ID, b.ID))
	})
	for _, e := range g.edges {
		edges = append(edges, *e)
	}
	slices.SortFunc(edges, func(a, b LineageEdge) int {
		return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.To, b.To))
	})
	return nodes, edges
}
