package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/model"
)

// api asks over HTTP.
func (m *modelled) api(ctx context.Context, q model.Question, request any) ([]byte, error) {
	method, path, body := http.MethodPost, "/v1/answers/"+string(q), []byte(nil)
	switch r := request.(type) {
	case answer.CaseRequest:
		method, path = http.MethodGet, "/v1/cases/"+url.PathEscape(r.ID)+"?limit="+strconv.Itoa(r.Limit)
	case answer.DriftRequest:
		method, path = http.MethodGet, "/v1/drift?"+url.Values{"controller": {r.Controller}, "from": {r.From}, "to": {r.To}}.Encode()
	case model.ActivitiesRequest:
		method, path = http.MethodGet, "/v1/activities?"+url.Values{"controller": {r.Controller}, "from": {r.From}, "to": {r.To}}.Encode()
	case model.ComparisonRequest:
		method, path = http.MethodGet, "/v1/cases/"+url.PathEscape(r.First)+"/comparison/"+url.PathEscape(r.Second)
	case answer.DutiesRequest:
		method, path = http.MethodGet, "/v1/duties?"+url.Values{"controller": {r.Controller}, "at": {r.At}, "within": {strconv.Itoa(r.Within)}, "cases": {strconv.Itoa(r.Cases)}}.Encode()
	case answer.OverviewRequest:
		method, path = http.MethodGet, "/v1/overview?"+url.Values{"controller": {r.Controller}, "days": {strconv.Itoa(r.Days)}}.Encode()
	default:
		var err error
		if body, err = json.Marshal(request); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, m.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+m.token)
	req.Header.Set("Andmerada-Reason", modelReason)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := m.httpClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, path, res.Status, text)
	}
	return text, err
}

const modelReason = "the model asks"

// line asks at the command line, about one history.
func (m *modelled) line(controller string) model.Way {
	return func(ctx context.Context, q model.Question, request any) ([]byte, error) {
		args := []string{"answer", string(q)}
		stdin := ""
		set := func(flag, value string) {
			if value != "" && value != "0" {
				args = append(args, "--"+flag+"="+value)
			}
		}
		acts := func(r *answer.ActsRequest) {
			set("controller", r.Controller)
			set("from", r.From)
			set("to", r.To)
			for flag, list := range map[string][]string{
				"actor": r.Actors, "role": r.Roles, "organisation": r.Organisations, "system": r.Systems, "operation": r.Operations, "purpose": r.Purposes, "recipient": r.Recipients,
				"entity": r.Entities, "country": r.Countries, "category": r.Categories, "verdict": r.Verdicts, "rule": r.Rules,
			} {
				for _, v := range list {
					set(flag, `"`+v+`"`) // as a cell of CSV: an empty one counts too
				}
			}
		}
		person := func(p answer.Person) {
			set("scheme", p.Scheme)
			stdin = p.Value
		}
		about := func(r *answer.Request) {
			set("controller", r.Controller)
			person(r.Person)
			set("from", r.From)
			set("to", r.To)
			set("as-of", r.AsOf)
			set("for", r.For)
		}
		switch r := request.(type) {
		case answer.RecipientsRequest:
			about(&r.Request)
			set("recipient", r.Recipient)
			set("entity", r.Entity)
			set("systems", map[bool]string{true: "true"}[r.Systems])
		case answer.TimelineRequest:
			about(&r.Request)
			set("cursor", r.Cursor)
			set("limit", strconv.Itoa(r.Limit))
		case answer.AccessRequest:
			acts(&r.ActsRequest)
			set("by", strings.Join(r.By, ","))
			set("events", strconv.Itoa(r.Limit))
		case answer.UnusualRequest:
			set("controller", r.Controller)
			set("from", r.From)
			set("to", r.To)
		case answer.BreachRequest:
			text, err := json.Marshal(&r)
			if err != nil {
				return nil, err
			}
			stdin = string(text)
			set("request", "-")
		case answer.CaseRequest:
			args = append(args, r.ID)
			set("persons", strconv.Itoa(r.Limit))
		case answer.RecipientRequest:
			set("controller", r.Controller)
			set("recipient", r.Recipient)
			set("entity", r.Entity)
			set("from", r.From)
			set("to", r.To)
			set("persons", strconv.Itoa(r.Limit))
			set("cursor", r.Cursor)
			if r.Receipts != nil {
				set("receipts", "-")
				stdin = receiptsCSV(r.Receipts)
			}
		case answer.LineageRequest:
			acts(&r.ActsRequest)
			if r.Person != nil {
				person(*r.Person)
			}
			if r.Event != nil {
				set("event", r.Event.Path())
			}
			set("depth", strconv.Itoa(r.Depth))
			set("fold", strconv.Itoa(r.Fold))
		case answer.ToldRequest:
			set("controller", r.Controller)
			person(r.Person)
			set("operation", r.Operation)
			set("since", r.Since)
			set("for", r.For)
			set("days", strconv.Itoa(r.Days))
		case model.ActivitiesRequest:
			set("controller", r.Controller)
			set("from", r.From)
			set("to", r.To)
		case model.ComparisonRequest:
			args = []string{"answer", "case", r.First}
			set("with", r.Second)
		case answer.FactsRequest:
			set("controller", r.Controller)
			person(r.Person)
			set("at", r.At)
			set("known-at", r.KnownAt)
		case answer.DutiesRequest:
			set("controller", r.Controller)
			set("at", r.At)
			set("within", strconv.Itoa(r.Within))
			set("cases", strconv.Itoa(r.Cases))
		case answer.TellingsRequest:
			set("controller", r.Controller)
			set("operation", strings.Join(r.Operations, ","))
			set("from", r.From)
			set("to", r.To)
			set("days", strconv.Itoa(r.Days))
			set("state", strings.Join(r.States, ","))
			set("cursor", r.Cursor)
			set("limit", strconv.Itoa(r.Limit))
		case answer.DriftRequest:
			set("controller", r.Controller)
			set("from", r.From)
			set("to", r.To)
		case answer.OverviewRequest:
			set("controller", r.Controller)
			set("days", strconv.Itoa(r.Days))
		default:
			return nil, fmt.Errorf("no command is known for a %T", request)
		}
		m.mu.Lock()
		m.commands[q]++
		m.mu.Unlock()
		args = append(args, "--json", "--reason", modelReason, "--config", filepath.Join(m.dir, controller+".yaml"))
		return m.run(ctx, stdin, args...)
	}
}

func receiptsCSV(receipts []answer.Receipt) string {
	var b strings.Builder
	b.WriteString("id,records\n")
	for _, r := range receipts {
		records := ""
		if r.Records != nil {
			records = strconv.FormatUint(*r.Records, 10)
		}
		fmt.Fprintf(&b, "%s,%s\n", r.ID, records)
	}
	return b.String()
}

// both asks in two ways, and wants the same of either, to the last member: what the
// model does not know is compared too.
func both(t testing.TB, one, other model.Way) model.Way {
	return func(ctx context.Context, q model.Question, request any) ([]byte, error) {
		text, err := one(ctx, q, request)
		if err != nil {
			return nil, err
		}
		again, err := other(ctx, q, request)
		if err != nil {
			return nil, err
		}
		var values [2]map[string]any
		for i, x := range [][]byte{text, again} {
			if err := json.Unmarshal(x, &values[i]); err != nil {
				return nil, fmt.Errorf("%s: %w: %s", q, err, x)
			}
			ofTheMoment(values[i])
		}
		if !reflect.DeepEqual(values[0], values[1]) {
			t.Errorf("%s %+v: two ways, two answers:\n%s\n%s", q, request, text, again)
		}
		return text, nil
	}
}

// ofTheMoment takes out of an answer what is another each time: when it was asked,
// the id of the case that was kept, and a cursor, of which it is left that there is
// one.
func ofTheMoment(a map[string]any) {
	delete(a, "asked_at")
	if all, ok := a["controllers"].([]any); ok { // duties as of now
		for _, one := range all {
			if c, ok := one.(map[string]any); ok {
				delete(c, "at")
			}
		}
	}
	if next, _ := a["next"].(string); next != "" {
		a["next"] = "there is more"
	}
	if c, ok := a["case"].(map[string]any); ok {
		delete(c, "id")
		delete(c, "frozen_at")
	}
	if n, ok := a["notice"].(map[string]any); ok {
		delete(n, "hours_left")
	}
}
