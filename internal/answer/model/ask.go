package model

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/andmerada/andmerada/internal/answer"
)

// Question is one that the model answers too.
type Question string

// The questions. A request is a value of the type that stands beside each.
const (
	Recipients Question = "recipients" // answer.RecipientsRequest
	Timeline   Question = "timeline"   // answer.TimelineRequest
	Access     Question = "access"     // answer.AccessRequest
	Unusual    Question = "unusual"    // answer.UnusualRequest
	Breach     Question = "breach"     // answer.BreachRequest
	Case       Question = "case"       // answer.CaseRequest
	Recipient  Question = "recipient"  // answer.RecipientRequest
	Lineage    Question = "lineage"    // answer.LineageRequest
	Told       Question = "told"       // answer.ToldRequest
	Tellings   Question = "tellings"   // answer.TellingsRequest
	Activities Question = "activities" // ActivitiesRequest
	Comparison Question = "comparison" // ComparisonRequest
	Facts      Question = "facts"      // answer.FactsRequest
	Duties     Question = "duties"     // answer.DutiesRequest
	Drift      Question = "drift"      // answer.DriftRequest
	Overview   Question = "overview"   // answer.OverviewRequest
)

// ComparisonRequest names two kept cases.
type ComparisonRequest struct{ First, Second string }

// Way is a way to ask: by function, over HTTP, at the command line. It gives the
// answer as JSON.
type Way func(ctx context.Context, q Question, request any) ([]byte, error)

// ask asks, and reads the answer: a member that the answer's type does not have
// is a failure, since nobody would compare it.
func ask[T any](t testing.TB, way Way, q Question, request any) *T {
	t.Helper()
	text, err := way(t.Context(), q, request)
	if err != nil {
		t.Fatalf("%s %+v: %v", q, request, err)
	}
	a := new(T)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(a); err != nil {
		t.Fatalf("%s %+v: %v in %s", q, request, err, text)
	}
	return a
}

// Functions asks by the functions of package answer.
func Functions(d answer.Deps) Way {
	return func(ctx context.Context, q Question, request any) ([]byte, error) {
		a, err := function(ctx, d, request)
		if err != nil {
			return nil, err
		}
		return json.Marshal(a)
	}
}

func function(ctx context.Context, d answer.Deps, request any) (any, error) {
	switch r := request.(type) {
	case answer.RecipientsRequest:
		return answer.Recipients(ctx, d, r)
	case answer.TimelineRequest:
		return answer.TimelineOf(ctx, d, r)
	case answer.AccessRequest:
		return answer.Access(ctx, d, r)
	case answer.UnusualRequest:
		return answer.Unusual(ctx, d, r)
	case answer.BreachRequest:
		a, err := answer.Breach(ctx, d, r)
		if err == nil {
			err = a.Keep(ctx)
		}
		return a, err
	case answer.CaseRequest:
		return answer.CaseOf(ctx, d, r)
	case answer.RecipientRequest:
		return answer.RecipientOf(ctx, d, r)
	case answer.LineageRequest:
		return answer.Lineage(ctx, d, r)
	case answer.ToldRequest:
		return answer.ToldOn(ctx, d, r)
	case ActivitiesRequest:
		return answer.Activities(ctx, d, answer.DriftRequest(r))
	case ComparisonRequest:
		return answer.CompareCases(ctx, d, r.First, r.Second, nil)
	case answer.FactsRequest:
		return answer.Facts(ctx, d, r)
	case answer.DutiesRequest:
		return answer.DutiesOf(ctx, d, r)
	case answer.TellingsRequest:
		return answer.Tellings(ctx, d, r, nil)
	case answer.DriftRequest:
		return answer.DriftOf(ctx, d, r)
	case answer.OverviewRequest:
		return answer.OverviewOf(ctx, d, r)
	}
	return nil, fmt.Errorf("nobody answers a %T", request)
}

// A Check holds one kind of answer about a history against the model.
type Check struct {
	Name  string
	Every int // of how many histories one is enough, since each answer takes long
	Run   func(h *History, t testing.TB, way Way)
}

// Checks are all of them.
func Checks() []Check {
	return []Check{
		{"person", 1, (*History).checkPerson},
		{"timeline", 2, (*History).checkTimeline},
		{"never", 1, (*History).checkNever},
		{"access", 1, (*History).checkAccess},
		{"breach", 2, (*History).checkBreach},
		{"recipient", 2, (*History).checkRecipient},
		{"lineage", 1, (*History).checkLineage},
		{"overview", 1, (*History).checkOverview},
		{"drift", 1, (*History).checkDrift},
		{"told", 2, (*History).checkTold},
		{"tellings", 3, (*History).checkTellings},
		{"activities", 5, (*History).checkActivities},
		{"event lineage", 5, (*History).checkEventLineage},
		{"comparison", 8, (*History).checkComparison},
		{"facts", 3, (*History).checkFacts},
		{"duties", 3, (*History).checkDuties},
	}
}

// wanted is what some history must have, for its check to show anything. Of fifty
// histories at least one has each, but once in thirty times or so.
var wanted = []string{
	"telling pending", "telling overdue", "telling told", "telling unanswered", "telling acknowledged", "telling not-told", "told since fact", "told since act", "told since request",
	"activity declared", "activity undeclared", "before an event, step 1", "after an event, step 1", "compared both", "compared gone", "compared new",
	"fact held", "fact not-yet-true", "fact not-yet-known", "fact stands", "duty to answer, due", "duty to answer, overdue", "duty to agreement, overdue",
}
