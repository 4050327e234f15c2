package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/event"
)

// structured are the headers of an event in structured mode.
var structured = []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json")}}

// binaryMode are the headers of one in binary mode, some of them replaced or added.
func binaryMode(changes ...string) (headers []kgo.RecordHeader) {
	all := map[string]string{
		"ce_specversion": "1.0", "ce_id": "poison", "ce_source": "/chaos/poison", "ce_type": "ee.andmerada.access.v1",
		"ce_time": time.Now().UTC().Format(time.RFC3339), "content-type": "application/json",
	}
	for i := 0; i+1 < len(changes); i += 2 {
		all[changes[i]] = changes[i+1]
	}
	for key, value := range all {
		headers = append(headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
	}
	return headers
}

const goodData = `{"controller":"elektrum","person":{"scheme":"customer-number","value":"C-1"},"purpose":"elektrum/billing","categories":["name"]}`

// poison is a record that no event is. The reason is "" where any will do.
type poison struct {
	name    string
	value   []byte
	headers []kgo.RecordHeader
	reason  string
}

var poisons = []poison{
	{"a tombstone", nil, nil, "empty"},
	{"nothing", []byte{}, binaryMode(), "empty"},
	{"JSON cut short", []byte(goodData[:40]), binaryMode(), "not-json"},
	{"structured and cut short", []byte(`{"specversion":"1.0","id":"`), structured, "not-json"},
	{"lists in lists", bytes.Repeat([]byte("["), 100_000), binaryMode(), "too-deep"},
	{"objects in objects, structured", []byte(`{"specversion":"1.0","data":` + strings.Repeat(`{"a":`, 50_000)), structured, "too-deep"},
	{"more than a MiB", bytes.Repeat([]byte(" "), 3<<20), binaryMode(), "too-large"},
	{"a string of many MiB", []byte(`{"reason":"` + strings.Repeat("a", 8<<20) + `"}`), binaryMode(), "too-large"},
	{"bytes that are not UTF-8", []byte(strings.Replace(goodData, "C-1", "\xff\xfe", 1)), binaryMode(), "not-utf8"},
	{"half a surrogate pair", []byte(strings.Replace(goodData, "C-1", `\ud800`, 1)), binaryMode(), "not-utf8"},
	{"NUL in a header", []byte(goodData), binaryMode("ce_id", "a\x00b"), "control-character"},
	{"a header that is not UTF-8", []byte(goodData), binaryMode("ce_source", "\xc3\x28"), "not-utf8"},
	{"the same member a thousand times", []byte("{" + strings.Repeat(`"controller":"elektrum",`, 1000) + `"person":{}}`), binaryMode(), "duplicate"},
	{"a number without end", []byte(strings.Replace(goodData, `"purpose"`, `"records":1`+strings.Repeat("0", 100_000)+`,"purpose"`, 1)), binaryMode(), ""},
	{"1970", []byte(goodData), binaryMode("ce_time", "1970-01-01T00:00:00Z"), "time-implausible"},
	{"2200", []byte(goodData), binaryMode("ce_time", "2200-01-01T00:00:00Z"), "time-implausible"},
	{"the year 292277026596", []byte(goodData), binaryMode("ce_time", "292277026596-12-04T15:30:08Z"), "bad-time"},
	{"NaN as a time", []byte(goodData), binaryMode("ce_time", "NaN"), "bad-time"},
	{"nobody's controller", []byte(strings.Replace(goodData, "elektrum", "nobody", 1)), binaryMode(), "unknown-controller"},
	{"a list of persons without end", []byte(strings.Replace(goodData, `{"scheme":"customer-number","value":"C-1"}`, "["+strings.Repeat(`{"scheme":"a","value":"b"},`, 20_000)+"{}]", 1)), binaryMode(), "too-many"},
	{"noise", noise(50_000), nil, ""},
	{"gzip of something", []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"), nil, ""},
}

// Ids of schemas in the registry of avroPoisons.
const (
	ownSchema    = 1 // our own
	listedSchema = 2 // with a list before it that nothing reads
	halfSchema   = 3 // cut short
)

// schemaServer is a registry that knows these schemas, and no others.
func schemaServer(t *testing.T) string {
	t.Helper()
	own := event.AvroSchema(event.Processing)
	texts := map[string]string{
		fmt.Sprint("/schemas/ids/", ownSchema):  own,
		fmt.Sprint("/schemas/ids/", halfSchema): own[:len(own)/2],
	}
	var listed map[string]any
	if err := json.Unmarshal([]byte(own), &listed); err != nil {
		t.Fatal(err)
	}
	fields := listed["fields"].([]any)
	listed["fields"] = append([]any{
		map[string]any{"name": "list", "type": map[string]any{"type": "array", "items": "string"}},
		map[string]any{"name": "map", "type": map[string]any{"type": "map", "values": "string"}},
	}, fields...)
	text, err := json.Marshal(listed)
	if err != nil {
		t.Fatal(err)
	}
	texts[fmt.Sprint("/schemas/ids/", listedSchema)] = string(text)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		text, ok := texts[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error_code":40403,"message":"Schema not found"}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"schema": text})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// avroPoisons are records in Avro that a decoder must read to know them for what
// they are.
func avroPoisons(t *testing.T) (all []poison) {
	t.Helper()
	ev := made(0, 1, 0)
	_, whole, err := event.EncodeConfluent(ev, ownSchema)
	if err != nil {
		t.Fatal(err)
	}
	avro := func(changes ...string) []kgo.RecordHeader {
		return binaryMode(append([]string{"content-type", "application/avro"}, changes...)...)
	}
	bomb := []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f} // 2 to the 62
	framed := func(id byte, parts ...[]byte) []byte {
		return append([]byte{0, 0, 0, 0, id}, bytes.Join(parts, nil)...)
	}
	return []poison{
		{"Avro, a list of 2 to the 62 strings that nothing reads", framed(listedSchema, bomb), avro(), "not-avro"},
		{"Avro, a map of as many after no list", framed(listedSchema, []byte{0}, bomb), avro(), "not-avro"},
		{"Avro, a list in a block that says it has as many bytes", framed(listedSchema, []byte{1}, bomb), avro(), "not-avro"},
		{"Avro, a name as long as that", framed(ownSchema, []byte{0}, bomb), avro(), "not-avro"},
		{"Avro, cut short", whole[:len(whole)/2], avro(), "not-avro"},
		{"Avro, its last byte cut off", whole[:len(whole)-1], avro(), "not-avro"},
		{"Avro, and a byte more", append(bytes.Clone(whole), 0), avro(), "not-avro"},
		{"Avro, nothing after the frame", framed(ownSchema), avro(), "not-avro"},
		{"Avro, a frame cut short", []byte{0, 0, 0, 1}, avro(), ""},
		{"Avro by a schema that the registry has not", framed(99, whole[5:]), avro(), "schema-unknown"},
		{"Avro by a schema that is cut short", framed(halfSchema, whole[5:]), avro(), "schema-mismatch"},
		{"plain Avro, cut short", whole[5 : len(whole)/2], avro("ce_dataschema", event.SchemaURN(event.Processing)), "not-avro"},
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

// TestPoison: each kind goes to the quarantine for its reason, and the events
// around it are unaffected. What is in Avro is decoded, by the schemas of a
// registry. Faults 13 and 19.
func TestPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{settings: map[string]string{"max.message.bytes": "20000000"}, registry: schemaServer(t)})
	all := append(avroPoisons(t), poisons...)
	p := w.ingest()
	w.send(100, 10)
	large := w.producer(kgo.ProducerBatchMaxBytes(20_000_000), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for range 3 {
		for _, c := range all {
			r := &kgo.Record{Topic: w.topic, Value: c.value, Headers: c.headers, Context: context.WithValue(context.Background(), reasonOf{}, c.reason)}
			w.note(r, large.ProduceSync(t.Context(), r).FirstErr())
		}
		w.send(100, 10)
	}
	w.caughtUp(30*time.Second, p)
	w.holds()
	p.withinMemory()
	if n := p.says("internal-error") + p.says("panic"); n != 0 {
		t.Errorf("the program failed at %d of them:\n%s", n, p.tail(20))
	}
	if t.Failed() {
		for i, c := range all {
			t.Logf("poison %d is %s", i, c.name)
		}
	}
	p.stop()
}

// TestTimesFromEverywhere: whatever times events state, all rows of a day are in
// one partition of the table, in few parts. Fault 19.
func TestTimesFromEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	client := w.producer()
	for n := range 3000 {
		ev := made(n%50, w.ledger.sequence(n%50), 0)
		ev.Time = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(rand.N(26 * 365 * 24 * time.Hour)).Truncate(time.Millisecond)
		if n%100 == 0 {
			ev.Time = time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond) // a clock that is ahead
		}
		ev.ID = id(n%50, ev.Sequence, ev.Time, ev.Actor.ID, ev.Reason, ev.Records)
		client.Produce(t.Context(), w.record(ev), w.note)
	}
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := w.ingest()
	w.caughtUp(time.Minute, p)
	w.holds()
	if partitions, parts := w.number("SELECT uniqExact(partition) FROM system.parts WHERE database = currentDatabase() AND table = 'trail' AND active"),
		w.number("SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 'trail' AND active"); partitions != 1 || parts > 20 {
		t.Errorf("%d partitions, %d parts", partitions, parts)
	}
	p.stop()
}

// TestRegistersChange: a register is replaced while events come in, and then by
// one that does not check. Each event is judged by one version, which its row
// names, the earlier ones by the old; what does not check changes nothing.
// Fault 20.
func TestRegistersChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, registers.FS); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, options{registers: dir, partitions: 2})
	p := w.start()
	stopFlow := w.flow(1000, 50)
	time.Sleep(time.Second)
	var files []string
	if err := fs.WalkDir(registers.FS, "elektrum", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(name) == ".yaml" && filepath.Dir(name) == "elektrum" {
			files = append(files, filepath.Join(dir, name))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("there is no register to change")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(text, "\n# changed\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, time.Minute, "the new registers are in use", func() (bool, string) { return p.says("register in use") > 0, p.tail(5) })
	time.Sleep(2 * time.Second)
	if err := os.WriteFile(files[0], []byte("controller: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the broken register is refused", func() (bool, string) { return p.says("do not check: those in use stay") > 0, p.tail(5) })
	time.Sleep(time.Second)
	stopFlow()
	w.caughtUp(time.Minute, p)
	w.holds()
	if n := w.number("SELECT uniqExact(register_version) FROM trail_rows WHERE cause = ''"); n != 2 {
		t.Errorf("events were judged by %d versions, not by two", n)
	}
	if n := w.number("SELECT countIf(register_version = '') FROM trail_rows"); n != 0 {
		t.Errorf("%d rows do not say by which", n)
	}
	// In each partition the one version ends where the other begins.
	if n := w.number(`SELECT countIf(register_version != before AND before != '') FROM
		(SELECT register_version, lagInFrame(register_version) OVER (PARTITION BY partition ORDER BY offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
		 FROM trail_rows WHERE cause = '')`); n != 2 {
		t.Errorf("the version changes %d times in two partitions", n)
	}
	p.stop()
}
