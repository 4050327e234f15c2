package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/schemas"
)

// sent is an event that all programs send: one line of JSON, structured.
type sent struct {
	event *event.Event
	line  []byte
}

// events are those of schemas/examples, the facts and cohorts first, so that
// they are known when acts are judged, and acts whose texts are of all kinds.
// The key is the extension attribute that the CloudEvents SDKs make one of.
func events(t testing.TB) (all []sent) {
	t.Helper()
	var raw []map[string]any
	names, err := fs.Glob(schemas.FS, "examples/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var acts []map[string]any
	for _, name := range names {
		text, err := fs.ReadFile(schemas.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		one := object(t, text)
		if strings.HasPrefix(one["type"].(string), event.FactPrefix) || one["type"] == event.CohortType {
			raw = append(raw, one)
		} else {
			acts = append(acts, one)
		}
	}
	raw = append(raw, acts...)
	raw = append(raw, variants(t, acts)...)
	for i, one := range raw {
		one["sequence"] = fmt.Sprint(i)
		decoded, err := event.DecodeKafka(nil, marshal(t, one))
		if err != nil {
			t.Fatalf("%s: %v", one["id"], err)
		}
		one["partitionkey"] = event.PartitionKey(decoded)
		all = append(all, sent{decoded, marshal(t, one)})
	}
	if len(all) < 30 {
		t.Fatalf("only %d events", len(all))
	}
	return all
}

// variants are acts with what makes trouble: other letters, marks that encodings
// escape, large numbers, times at the edge of a day or a millisecond, the
// members that most leave out.
func variants(t testing.TB, acts []map[string]any) (all []map[string]any) {
	t.Helper()
	base := slices.IndexFunc(acts, func(a map[string]any) bool { return a["id"] == "np-2024-05-02-000317" })
	add := func(change func(one, data map[string]any)) {
		one := object(t, marshal(t, acts[base]))
		data := one["data"].(map[string]any)
		one["id"] = fmt.Sprintf("variant-%d", len(all))
		data["person"] = map[string]any{"scheme": "customer-number", "value": fmt.Sprintf("V-%d", len(all))}
		change(one, data)
		all = append(all, one)
	}
	for _, organisation := range []string{
		"Põhjamaade Õigusbüroo OÜ – šokolaad ja žürii", "AS „Latvenergo” ģenerāļa šķēršļi, ķīļu ņirgas", "ООО «Ёжик и подъём»", "Łódź \u2028 Ürün 漢字 😀",
	} {
		add(func(one, data map[string]any) {
			data["recipient"] = map[string]any{"organisation": organisation, "code": "LV40003032949", "country": "LV"}
			data["reason"] = "põhjus: " + organisation
			data["actor"] = map[string]any{"id": "õ.äöü", "kind": "partner", "role": "аудитор", "organisation": organisation, "on_behalf_of": "client"}
			one["source"] = "/s%C3%BCsteem/a%20b" // stays as it is: the binding decodes nothing
		})
	}
	add(func(_, data map[string]any) { data["reason"] = `"quoted" \ back/slash % %41 & <b> 'q' = ; , tab-less` })
	add(func(_, data map[string]any) { data["fields"] = []string{"a", "täht", "a.b[0]", " spaces "} })
	add(func(_, data map[string]any) { data["records"] = 4_000_000_000 })
	add(func(one, _ map[string]any) { one["time"] = "2024-02-29T23:59:59.999+02:00" })
	add(func(one, _ map[string]any) { one["time"] = "2024-10-27T00:30:00Z" })
	add(func(one, _ map[string]any) { delete(one, "traceparent"); one["subject"] = "ignored" })
	add(func(_, data map[string]any) {
		data["data_source"], data["channel"] = "partner:kreditiinfo", "post"
		data["basis"] = map[string]any{"kind": "legal-obligation", "reference": "EKS § 12 lg 3"}
	})
	add(func(_, data map[string]any) {
		delete(data, "basis")
		delete(data, "recipient")
		delete(data, "records")
	})
	add(func(_, data map[string]any) {
		data["statements"] = map[string]any{
			"necessity": true, "proportionality": "unknown", "appropriate_extent": false,
			"transfer": map[string]any{"safeguards": "scc", "onward": nil},
			"consent":  []any{map[string]any{"purpose": "netpro/payment-execution", "given_at": "2023-05-02T09:00:00.125+03:00", "form": "written"}},
			"breach":   map[string]any{"exists": true, "date": "2024-01-15", "ended_on": nil},
		}
	})
	for _, operation := range []string{"use", "profile", "combine", "erase"} {
		add(func(one, data map[string]any) {
			one["type"] = event.TypePrefix + operation + event.TypeSuffix
			delete(data, "recipient")
		})
	}
	return all
}

func object(t testing.TB, text []byte) (one map[string]any) {
	t.Helper()
	decode := json.NewDecoder(bytes.NewReader(text))
	decode.UseNumber()
	if err := decode.Decode(&one); err != nil {
		t.Fatal(err)
	}
	return one
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	encode := json.NewEncoder(&b)
	encode.SetEscapeHTML(false)
	if err := encode.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

// lines are the events as programs read them.
func lines(all []sent) []byte {
	var b bytes.Buffer
	for _, one := range all {
		b.Write(one.line)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// keys of a map, for messages.
func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
