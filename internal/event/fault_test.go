package event_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/event"
)

// structured is a valid structured event with one thing replaced.
func structured(old, replacement string) string {
	text := `{"specversion":"1.0","id":"1","source":"/crm","type":"ee.andmerada.access.v1","time":"2024-06-10T09:59:59+03:00","data":` +
		`{"controller":"elektrum","person":{"scheme":"personal-code","value":"38001010000"},"purpose":"elektrum/billing","categories":["name"]}}`
	if old != "" && !strings.Contains(text, old) {
		panic("no " + old)
	}
	return strings.Replace(text, old, replacement, 1)
}

// withFact is a fact event.
func withFact(kind, data string) string {
	return `{"specversion":"1.0","id":"1","source":"/crm","type":"ee.andmerada.fact.` + kind + `.v1","time":"2024-06-10T09:59:59+03:00","data":{"controller":"elektrum",` + data + `}}`
}

const aPerson = `"person":{"scheme":"email","value":"mari@example.com"}`

func TestFaultsOfStructuredEvents(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		code       event.Code
		pointer    string
	}{
		{"empty", "", event.CodeNotCloudEvent, ""},
		{"text", "hello", event.CodeNotJSON, ""},
		{"string", `"hello"`, event.CodeNotCloudEvent, ""},
		{"array", "[" + structured("", "") + "]", event.CodeNotCloudEvent, ""},
		{"plain object", `{"a":1}`, event.CodeNotCloudEvent, "/specversion"},
		{"byte order mark", "\ufeff" + structured("", ""), event.CodeNotJSON, ""},
		{"two values", structured("", "") + "{}", event.CodeNotJSON, ""},
		{"not UTF-8", structured("/crm", "/cr\xff"), event.CodeNotUTF8, "/source"},
		{"lone surrogate", structured("/crm", `\ud800x`), event.CodeNotUTF8, "/source"},
		{"duplicate name", structured(`"id":"1"`, `"id":"1","id":"2"`), event.CodeDuplicate, "/id"},
		{"specversion", structured(`"1.0"`, `"0.3"`), event.CodeNotCloudEvent, "/specversion"},
		{"no specversion", structured(`"specversion":"1.0",`, ""), event.CodeNotCloudEvent, "/specversion"},
		{"no id", structured(`"id":"1",`, ""), event.CodeMissing, "/id"},
		{"null id", structured(`"id":"1"`, `"id":null`), event.CodeMissing, "/id"},
		{"empty id", structured(`"id":"1"`, `"id":" "`), event.CodeMissing, "/id"},
		{"number id", structured(`"id":"1"`, `"id":1`), event.CodeWrongType, "/id"},
		{"long id", structured(`"id":"1"`, `"id":"`+strings.Repeat("x", 257)+`"`), event.CodeTooLong, "/id"},
		{"no source", structured(`"source":"/crm",`, ""), event.CodeMissing, "/source"},
		{"no type", structured(`"type":"ee.andmerada.access.v1",`, ""), event.CodeMissing, "/type"},
		{"no time", structured(`"time":"2024-06-10T09:59:59+03:00",`, ""), event.CodeMissing, "/time"},
		{"time without offset", structured("59+03:00", "59"), event.CodeBadTime, "/time"},
		{"31 June", structured("06-10", "06-31"), event.CodeBadTime, "/time"},
		{"leap second", structured("59:59+", "59:60+"), event.CodeBadTime, "/time"},
		{"zero time", structured("2024-06-10T09:59:59+03:00", "0001-01-01T00:00:00Z"), event.CodeBadTime, "/time"},
		{"NUL in id", structured(`"id":"1"`, `"id":"a\u0000"`), event.CodeControlCharacter, "/id"},
		{"raw control character", structured(`"id":"1"`, "\"id\":\"a\x01\""), event.CodeControlCharacter, "/id"},
		{"delete", structured("/crm", "/crm\x7f"), event.CodeControlCharacter, "/source"},
		{"C1 control", structured("/crm", "/crm\u0085x"), event.CodeControlCharacter, "/source"},
		{"foreign type", structured("ee.andmerada.access.v1", "com.example.x"), event.CodeUnknownType, "/type"},
		{"version 2", structured("access.v1", "access.v2"), event.CodeUnknownType, "/type"},
		{"operation", structured("access.v1", "acces.v1"), event.CodeUnknownOperation, "/type"},
		{"fact kind", structured("access.v1", "fact.consnt.v1"), event.CodeUnknownFact, "/type"},
		{"sequence", structured(`"id":"1"`, `"id":"1","sequence":"x"`), event.CodeBadValue, "/sequence"},
		{"Avro data", structured(`"id":"1"`, `"id":"1","datacontenttype":"application/avro"`), event.CodeContentType, "/datacontenttype"},
		{"no data", `{"specversion":"1.0","id":"1","source":"/crm","type":"ee.andmerada.access.v1","time":"2024-06-10T09:59:59Z"}`, event.CodeMissing, "/data"},
		{"data as text", strings.Replace(structured("", ""), `"data":{`, `"x":{`, 1)[:len(structured("", ""))-4] + `,"data":"{}"}`, event.CodeWrongType, "/data"},
		{"bad base64", `{"specversion":"1.0","id":"1","source":"/crm","type":"ee.andmerada.access.v1","time":"2024-06-10T09:59:59Z","data_base64":"%"}`, event.CodeBadValue, "/data_base64"},
		{"no controller", structured(`"controller":"elektrum",`, ""), event.CodeMissing, "/data/controller"},
		{"no purpose", structured(`"purpose":"elektrum/billing",`, ""), event.CodeMissing, "/data/purpose"},
		{"no categories", structured(`["name"]`, `[]`), event.CodeMissing, "/data/categories"},
		{"empty category", structured(`["name"]`, `["name",""]`), event.CodeBadValue, "/data/categories/1"},
		{"number category", structured(`["name"]`, `["name",7]`), event.CodeWrongType, "/data/categories/1"},
		{"long purpose", structured("elektrum/billing", strings.Repeat("p", 129)), event.CodeTooLong, "/data/purpose"},
		{"long reason", structured(`"purpose"`, `"reason":"`+strings.Repeat("r", 1025)+`","purpose"`), event.CodeTooLong, "/data/reason"},
		{"too many categories", structured(`["name"]`, `["name"`+strings.Repeat(`,"x"`, 200)+`]`), event.CodeTooMany, "/data/categories"},
		{"no person", structured(`"person":{"scheme":"personal-code","value":"38001010000"},`, ""), event.CodeMissing, "/data/person"},
		{"no scheme", structured(`"scheme":"personal-code",`, ""), event.CodeMissing, "/data/person/scheme"},
		{"no value", structured(`,"value":"38001010000"`, ""), event.CodeMissing, "/data/person/value"},
		{"number value", structured(`"38001010000"`, `38001010000`), event.CodeWrongType, "/data/person/value"},
		{"scheme and value confused", structured(`"personal-code","value":"38001010000"`, `"38001010000","value":"personal-code"`), event.CodeBadValue, "/data/person/scheme"},
		{"pseudonym", structured(`"personal-code"`, `"pseudonym"`), event.CodeBadValue, "/data/person/value"},
		{"too many persons", structured(`{"scheme":"personal-code","value":"38001010000"}`, `[{"scheme":"x","value":"38001010000"}`+strings.Repeat(`,{"scheme":"x","value":"38001010000"}`, 100)+`]`), event.CodeTooMany, "/data/person"},
		{"person and cohort", structured(`"purpose"`, `"cohort":{"id":"c"},"purpose"`), event.CodeBadValue, "/data/cohort"},
		{"cohort without id", structured(`"purpose"`, `"cohort":{"size":2},"purpose"`), event.CodeMissing, "/data/cohort/id"},
		{"recipient as text", structured(`"purpose"`, `"recipient":"x","purpose"`), event.CodeWrongType, "/data/recipient"},
		{"empty recipient", structured(`"purpose"`, `"recipient":{"country":"EE"},"purpose"`), event.CodeMissing, "/data/recipient/id"},
		{"country", structured(`"purpose"`, `"recipient":{"id":"x","country":"Eesti"},"purpose"`), event.CodeBadValue, "/data/recipient/country"},
		{"channel", structured(`"purpose"`, `"channel":"fax","purpose"`), event.CodeBadValue, "/data/channel"},
		{"actor kind", structured(`"purpose"`, `"actor":{"kind":"robot"},"purpose"`), event.CodeBadValue, "/data/actor/kind"},
		{"records negative", structured(`"purpose"`, `"records":-1,"purpose"`), event.CodeBadValue, "/data/records"},
		{"records huge", structured(`"purpose"`, `"records":`+strings.Repeat("9", 400)+`,"purpose"`), event.CodeBadValue, "/data/records"},
		{"records fraction", structured(`"purpose"`, `"records":1.5,"purpose"`), event.CodeBadValue, "/data/records"},
		{"statements unknown name", structured(`"purpose"`, `"statements":{"necesity":true},"purpose"`), event.CodeUnknownFact, "/data/statements/necesity"},
		{"statements type", structured(`"purpose"`, `"statements":{"necessity":"yes"},"purpose"`), event.CodeWrongType, "/data/statements/necessity"},
		{"statements consent without time", structured(`"purpose"`, `"statements":{"consent":[{"purpose":"p"}]},"purpose"`), event.CodeMissing, "/data/statements/consent/0/given_at"},
		{"fact without value", withFact("breach", aPerson), event.CodeMissing, "/data/value"},
		{"fact that says nothing", withFact("breach", aPerson+`,"value":{}`), event.CodeMissing, "/data/value"},
		{"fact about nobody", withFact("breach", `"value":{"exists":true}`), event.CodeMissing, "/data/person"},
		{"fact member", withFact("breach", aPerson+`,"value":{"exist":true}`), event.CodeUnknownFact, "/data/value/exist"},
		{"fact date", withFact("contract-end", aPerson+`,"value":"2024-02-30"`), event.CodeBadTime, "/data/value"},
		{"fact enum", withFact("subject-role", aPerson+`,"value":"clent"`), event.CodeBadValue, "/data/value"},
		{"employee about nobody", withFact("employee", `"value":{"trained":true}`), event.CodeMissing, "/data/about/actor"},
		{"processor about nobody", withFact("processor", aPerson+`,"value":{"contract":true}`), event.CodeMissing, "/data/about/recipient"},
		{"identity of one", withFact("identity", aPerson), event.CodeMissing, "/data/person"},
		{"too large", structured("elektrum/billing", strings.Repeat("x", 10<<20)), event.CodeTooLarge, ""},
		{"nested 33", structured(`["name"]`, strings.Repeat("[", 32)+strings.Repeat("]", 32)), event.CodeTooDeep, ""},
		{"nesting bomb", strings.Repeat("[", 100_000), event.CodeTooDeep, ""},
		{"nesting bomb of objects", strings.Repeat(`{"a":`, 100_000), event.CodeTooDeep, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ev, err := event.DecodeKafka(nil, []byte(test.text))
			checkFault(t, err, test.code, test.pointer)
			if ev != nil {
				t.Errorf("an event beside the fault: %+v", ev)
			}
			findings := event.Lint(nil, []byte(test.text))
			found := false
			for _, f := range findings {
				checkSilent(t, f.String())
				found = found || f.Code == test.code && f.Pointer == test.pointer && f.Severity == event.SeverityError
			}
			if !found {
				t.Errorf("lint does not find it: %v", findings)
			}
		})
	}
}

func checkFault(t *testing.T, err error, code event.Code, pointer string) {
	t.Helper()
	var fault *event.Fault
	if !errors.As(err, &fault) {
		t.Fatalf("got %v, want a fault %s", err, code)
	}
	if fault.Code != code || fault.Pointer != pointer {
		t.Errorf("got %s at %q, want %s at %q: %v", fault.Code, fault.Pointer, code, pointer, err)
	}
	checkSilent(t, err.Error())
}

// checkSilent holds that no identifier of the test's persons is told.
func checkSilent(t *testing.T, text string) {
	t.Helper()
	for _, identifier := range []string{"38001010000", "mari@example.com"} {
		if strings.Contains(text, identifier) {
			t.Errorf("tells a person's identifier: %s", text)
		}
	}
}

func header(key, value string) event.Header { return event.Header{Key: key, Value: []byte(value)} }

const binaryData = `{"controller":"c","person":{"scheme":"email","value":"mari@example.com"},"purpose":"p","categories":["name"]}`

func binaryHeaders(change func(h []event.Header) []event.Header) []event.Header {
	h := []event.Header{header("ce_specversion", "1.0"), header("ce_id", "1"), header("ce_source", "s"), header("ce_type", "ee.andmerada.access.v1"), header("ce_time", "2024-06-10T09:59:59Z")}
	if change == nil {
		return h
	}
	return change(h)
}

func with(more ...event.Header) func([]event.Header) []event.Header {
	return func(h []event.Header) []event.Header { return append(h, more...) }
}

func TestBinaryMode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		headers []event.Header
		value   string
		code    event.Code // "" = taken
		pointer string
	}{
		{"plain", binaryHeaders(nil), binaryData, "", ""},
		{"content type", binaryHeaders(with(header("content-type", "application/json"))), binaryData, "", ""},
		{"content type with charset", binaryHeaders(with(header("Content-Type", "Application/JSON; charset=UTF-8"))), binaryData, "", ""},
		{"both content types, as Node", binaryHeaders(with(header("content-type", "application/json"), header("ce_datacontenttype", "application/json"))), binaryData, "", ""},
		{"extensions, as Node", binaryHeaders(with(header("ce_intext", "5"), header("ce_boolext", "true"), header("ce_partitionkey", "x"))), binaryData, "", ""},
		{"capital names", binaryHeaders(func(h []event.Header) []event.Header {
			for i := range h {
				h[i].Key = strings.ToUpper(h[i].Key)
			}
			return h
		}), binaryData, "", ""},
		{"as Python: escapes and spaces", binaryHeaders(nil), `{"controller": "c", "person": {"scheme": "email", "value": "m\u00e9"}, "purpose": "p", "categories": ["name"]}`, "", ""},
		{"tombstone", binaryHeaders(nil), "", event.CodeMissing, "/data"},
		{"null", binaryHeaders(nil), "null", event.CodeWrongType, "/data"},
		{"cut short", binaryHeaders(nil), binaryData[:70], event.CodeNotJSON, "/data/person/value"},
		{"missing", binaryHeaders(nil), `{"controller":"c"}`, event.CodeMissing, "/data/purpose"},
		{"no time", binaryHeaders(func(h []event.Header) []event.Header { return h[:4] }), binaryData, event.CodeMissing, "/time"},
		{"id twice", binaryHeaders(with(header("CE_ID", "2"))), binaryData, event.CodeDuplicate, "/id"},
		{"NUL", binaryHeaders(func(h []event.Header) []event.Header { h[2].Value = []byte("a\x00b"); return h }), binaryData, event.CodeControlCharacter, "/source"},
		{"not UTF-8", binaryHeaders(func(h []event.Header) []event.Header { h[2].Value = []byte("a\xff"); return h }), binaryData, event.CodeNotUTF8, "/source"},
		{"long", binaryHeaders(func(h []event.Header) []event.Header { h[1].Value = make([]byte, 5000); return h }), binaryData, event.CodeTooLong, "/id"},
		{"too many headers", binaryHeaders(with(make([]event.Header, 100)...)), binaryData, event.CodeTooMany, ""},
		{"XML", binaryHeaders(with(header("content-type", "text/xml"))), binaryData, event.CodeContentType, "/datacontenttype"},
		{"batch", []event.Header{header("content-type", "application/cloudevents-batch+json")}, "[]", event.CodeBatchMode, ""},
		{"Avro format", []event.Header{header("content-type", "application/cloudevents+protobuf")}, "\x00", event.CodeContentType, ""},
		{"too large", binaryHeaders(nil), strings.Repeat(" ", event.MaxValue+1), event.CodeTooLarge, ""},
		{"structured content type wins", binaryHeaders(with(header("content-type", "application/cloudevents+json"))), structured("", ""), "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ev, err := event.DecodeKafka(test.headers, []byte(test.value))
			if test.code != "" {
				checkFault(t, err, test.code, test.pointer)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if ev.Kind != event.Processing || ev.Operation != event.Access || len(ev.Persons) != 1 || ev.Time.IsZero() {
				t.Errorf("got %+v", ev)
			}
		})
	}
}

func TestLintFindsAll(t *testing.T) {
	t.Parallel()
	text := "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/crm\",\"type\":\"ee.andmerada.disclose.v1\",\n\"time\":\"yesterday\",\n\"sequnce\":\"4\",\n\"data\":{\n" +
		"\"controler\":\"elektrum\",\n\"person\":{\"scheme\":\"personal-code\",\"value\":\"38001010000\",\"38001010000\":1},\n\"categories\":\"name\"}}"
	var got []string
	for _, f := range event.Lint(nil, []byte(text)) {
		checkSilent(t, f.String())
		got = append(got, fmt.Sprintf("%d:%d %s %s %s", f.Line, f.Column, f.Severity, f.Code, f.Pointer))
	}
	want := []string{
		"1:1 warning advice /traceparent",
		"2:1 error bad-time /time",
		"3:1 warning unknown-member /sequnce",
		"4:1 error missing /data/controller",
		"4:1 error missing /data/purpose",
		"4:1 warning advice /data/recipient",
		"4:1 warning advice /data/actor",
		"5:1 warning unknown-member /data/controler",
		"6:1 warning unknown-member /data/person/…",
		"7:1 error wrong-type /data/categories",
		"1:1 warning advice /sequence",
	}
	for _, w := range want {
		found := false
		for _, g := range got {
			found = found || g == w
		}
		if !found {
			t.Errorf("does not find %s", w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d findings, want %d", len(got), len(want))
	}
	if t.Failed() {
		t.Log(strings.Join(got, "\n"))
	}
}

func TestDataBase64(t *testing.T) {
	t.Parallel()
	text := `{"specversion":"1.0","id":"1","source":"s","time":"2024-06-10T09:59:59Z","data_base64":"` + base64.StdEncoding.EncodeToString([]byte(binaryData)) + `","type":"ee.andmerada.access.v1"}`
	ev, err := event.DecodeKafka(nil, []byte(text))
	if err != nil || ev.Purpose != "p" {
		t.Errorf("got %+v, %v", ev, err)
	}
}

func TestDataBeforeType(t *testing.T) {
	t.Parallel()
	ev, err := event.DecodeKafka(nil, []byte(`{"data":`+binaryData+`,"specversion":"1.0","id":"1","source":"s","time":"2024-06-10T09:59:59Z","type":"ee.andmerada.access.v1"}`))
	if err != nil || ev.Purpose != "p" || ev.Controller != "c" {
		t.Errorf("got %+v, %v", ev, err)
	}
	_, err = event.DecodeKafka(nil, []byte(`{"data":{"controller":7},"specversion":"1.0","id":"1","source":"s","time":"2024-06-10T09:59:59Z","type":"ee.andmerada.access.v1"}`))
	checkFault(t, err, event.CodeWrongType, "/data/controller")
}

// TestCutShort cuts valid messages at every byte: each must be a coded fault.
func TestCutShort(t *testing.T) {
	t.Parallel()
	whole := structured(`"purpose"`, `"statements":{"breach":{"exists":true,"ended_on":null},"consent":[{"purpose":"õ\u00f5","given_at":"2023-01-01T00:00:00Z"}]},"purpose"`)
	if _, err := event.DecodeKafka(nil, []byte(whole)); err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) {
		_, err := event.DecodeKafka(nil, []byte(whole[:n]))
		var fault *event.Fault
		if !errors.As(err, &fault) || fault.Code == "" {
			t.Fatalf("cut at %d: %v", n, err)
		}
		checkSilent(t, err.Error())
	}
	for n := range len(binaryData) {
		_, err := event.DecodeKafka(binaryHeaders(nil), []byte(binaryData[:n]))
		var fault *event.Fault
		if !errors.As(err, &fault) || fault.Code == "" {
			t.Fatalf("binary cut at %d: %v", n, err)
		}
	}
}
