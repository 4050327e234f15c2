package bundle

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
)

func TestMain(m *testing.M) { os.Exit(embeddedtest.Main(m)) }

var mari = answer.Person{Scheme: "customer-number", Value: answertest.Customer}

// every question that can be bundled, of the planted trail.
func every() map[string]answer.Question {
	who := answer.Request{Controller: answertest.Controller, Person: mari}
	acts := answer.ActsRequest{Controller: answertest.Controller}
	return map[string]answer.Question{
		"recipients": {Recipients: &answer.RecipientsRequest{Request: who}},
		"a period":   {Recipients: &answer.RecipientsRequest{Request: answer.Request{Controller: answertest.Controller, Person: mari, From: "2026-03-10T09:00:00Z", To: "2026-03-10T14:00:00Z"}}},
		"timeline":   {Timeline: &answer.TimelineRequest{Request: who, Limit: 3}},
		"told":       {Told: &answer.ToldRequest{Controller: answertest.Controller, Person: mari, Since: "2026-03-10"}},
		"access":     {Access: &answer.AccessRequest{ActsRequest: acts, By: []string{"category", "verdict"}}},
		"verdicts":   {Access: &answer.AccessRequest{ActsRequest: answer.ActsRequest{Controller: answertest.Controller, Verdicts: []string{"violation"}, Rules: []string{"A-1"}}, By: []string{"actor", "day"}}},
		"recipient":  {Recipient: &answer.RecipientRequest{Controller: answertest.Controller, Recipient: "acme/bank"}},
		"entity":     {Recipient: &answer.RecipientRequest{Controller: answertest.Controller, Entity: "12345678"}},
		"cohort":     {Recipient: &answer.RecipientRequest{Controller: answertest.Controller, Recipient: "acme/couriers"}},
		"breach": {Breach: &answer.BreachRequest{Onward: 1, Windows: []answer.Window{
			{ActsRequest: answer.ActsRequest{Controller: answertest.Controller, Operations: []string{"transfer", "disclose"}, Recipients: []string{"acme/bank"}}},
			{Set: "union", ActsRequest: answer.ActsRequest{Controller: answertest.Controller, Entities: []string{"1", "12345678"}}},
			{Set: "difference", ActsRequest: answer.ActsRequest{Controller: answertest.Controller, Entities: []string{"Elsewhere AS"}}},
		}}},
	}
}

var dpo = Asking{Role: "dpo", Reason: "case 7", Version: "test"}

// Each question's bundle checks: counts agree, and each verdict follows.
func TestEveryBundleChecks(t *testing.T) {
	t.Parallel()
	d := answertest.PlantForReader(t)
	recounted := map[string]string{
		"recipients": "recipients", "a period": "recipients", "timeline": "the newest events", "told": "recipients who are to be told, and how often they received data",
		"access": "events by category, verdict", "verdicts": "events by actor, day", "recipient": "persons", "entity": "persons", "cohort": "events and verdicts", "breach": "persons",
	}
	for name, q := range every() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := Make(t.Context(), d, q, dpo)
			if err != nil {
				t.Fatal(err)
			}
			r := Check(data, nil)
			if !r.OK || r.NotJudged != 0 || r.Judged == 0 || r.Judged != r.Manifest.Events {
				t.Errorf("%d judged again, %d not; problems %v, notes %q", r.Judged, r.NotJudged, r.Problems, r.Notes)
			}
			if !slices.Contains(r.Recounted, recounted[name]) {
				t.Errorf("counted again: %q", r.Recounted)
			}
			again, err := Make(t.Context(), d, q, dpo)
			if err != nil || !bytes.Equal(again, data) {
				t.Errorf("the same content gave other bytes, or %v", err)
			}
			for _, secret := range []string{answertest.Customer, answertest.Email, "u17"} {
				if bytes.Contains(data, []byte(secret)) {
					t.Errorf("%q is in the bundle", secret)
				}
			}
		})
	}
}

// Whatever byte is changed, wherever, the bundle does not check.
func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	data, err := Make(t.Context(), answertest.Plant(t), every()["recipients"], dpo)
	if err != nil {
		t.Fatal(err)
	}
	where := names(t, data)
	for i := range data {
		if i%7 != 0 && len(where[i]) > 0 {
			continue // of the files' contents every seventh
		}
		changed := bytes.Clone(data)
		changed[i] ^= 0x41
		r := Check(changed, nil)
		if r.OK || len(r.Problems) == 0 || r.Problems[0].Says == "" {
			t.Fatalf("byte %d was changed, and nothing was found", i)
		}
		if where[i] != "" && r.Problems[0].File != where[i] {
			t.Fatalf("byte %d of %s was changed, and the problem is %v", i, where[i], r.Problems[0])
		}
	}
	for _, changed := range [][]byte{append(bytes.Clone(data), 0), append([]byte{0}, data...), data[:len(data)-1], nil} {
		if Check(changed, nil).OK {
			t.Error("something was added or cut off, and nothing was found")
		}
	}
}

// names says of each byte of the zip in which file it is.
func names(t *testing.T, data []byte) []string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	where := make([]string, len(data))
	for _, f := range z.File {
		at, err := f.DataOffset()
		if err != nil {
			t.Fatal(err)
		}
		for i := range f.UncompressedSize64 {
			where[uint64(at)+i] = f.Name
		}
	}
	return where
}

// remade makes the bundle anew with files changed, and a manifest that fits: what
// somebody could do who can write zips and compute hashes.
func remade(t *testing.T, data []byte, change func(files map[string][]byte)) []byte {
	t.Helper()
	files, p := unarchive(data)
	if p != nil {
		t.Fatal(p)
	}
	change(files)
	if err := relist(files); err != nil {
		t.Fatal(err)
	}
	again, err := archive(files)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// A forger who makes all hashes fit is found out by what does not follow.
func TestForgeries(t *testing.T) {
	t.Parallel()
	data, err := Make(t.Context(), answertest.Plant(t), every()["recipients"], dpo)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(file, from, to string) func(map[string][]byte) {
		return func(files map[string][]byte) {
			if !bytes.Contains(files[file], []byte(from)) {
				t.Fatalf("%s has no %s", file, from)
			}
			files[file] = bytes.Replace(files[file], []byte(from), []byte(to), 1)
		}
	}
	var version string
	for _, r := range Check(data, nil).Manifest.Registers {
		version = r.Version
	}
	for name, c := range map[string]struct {
		change func(map[string][]byte)
		file   string
	}{
		"a count":             {replace(answerFile, `"count": 2`, `"count": 1`), answerFile},
		"nothing":             {func(map[string][]byte) {}, ""},
		"an event less":       {func(f map[string][]byte) { f[eventsFile] = f[eventsFile][bytes.IndexByte(f[eventsFile], '\n')+1:] }, eventsFile},
		"a recipient":         {replace(eventsFile, `"id":"acme/bank"`, `"id":"acme/couriers"`), answerFile},
		"a verdict":           {replace(verdictsFile, `"verdict":"violation","rules":["A-1"]`, `"verdict":"allowed","rules":["X-00"]`), answerFile},
		"a rule":              {replace(verdictsFile, `"rules":["A-1"]`, `"rules":["A-2"]`), verdictsFile},
		"a fact":              {replace(factsFile, `"US"`, `"EE"`), verdictsFile},
		"a register":          {replace("registers/"+version+"/acme/2024-01-01.yaml", "andmerada:", "# \nandmerada:"), "registers/" + version},
		"the completeness":    {replace(completenessFile, `"missing": 0`, `"missing": 1`), completenessFile},
		"an event is beyond":  {replace(eventsFile, `"offset":12,`, `"offset":99,`), verdictsFile},
		"the question's kind": {replace(manifestFile, `"kind": "recipients"`, `"kind": "x"`), manifestFile},
		"an unknown member":   {replace(eventsFile, `{"topic"`, `{"more":1,"topic"`), eventsFile},
		"another's event":     {replace(eventsFile, `"controller":"acme"`, `"controller":"other"`), eventsFile},
		"a register less":     {func(f map[string][]byte) { delete(f, "registers/"+version+"/categories.yaml") }, "registers/" + version},
		"a verdict less": {func(f map[string][]byte) {
			f[verdictsFile] = f[verdictsFile][bytes.IndexByte(f[verdictsFile], '\n')+1:]
		}, verdictsFile},
		"no answer":            {replace(answerFile, "{", "["), answerFile},
		"a file more":          {func(f map[string][]byte) { f["registers/0000000000000000/acme/x.yaml"] = nil }, "registers/0000000000000000"},
		"no completeness":      {replace(completenessFile, "{", "["), completenessFile},
		"a verdict that moved": {replace(verdictsFile, `"person_index":0`, `"person_index":7`), verdictsFile},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Check(remade(t, data, c.change), nil)
			if c.file == "" {
				if !r.OK {
					t.Errorf("nothing was changed, and the problems are %v", r.Problems)
				}
				return
			}
			if r.OK || !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.File == c.file }) {
				t.Errorf("problems %v, want one of %s", r.Problems, c.file)
			}
		})
	}
}

func TestSignature(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	d := answertest.Plant(t)
	by := dpo
	by.Key = private
	data, err := Make(t.Context(), d, every()["recipients"], by)
	if err != nil {
		t.Fatal(err)
	}
	if r := Check(data, public); !r.OK || !r.Signed {
		t.Error(r.Problems)
	}
	if r := Check(data, nil); !r.OK || r.Signed || !strings.Contains(strings.Join(r.Notes, " "), "public key") {
		t.Error(r.Problems, r.Notes)
	}
	if r := Check(data, other); r.OK || r.Signed || r.Problems[0].File != signatureFile {
		t.Error("another key's signature was taken")
	}
	forged := remade(t, data, func(f map[string][]byte) { f[readmeFile] = []byte("All is well.\n") })
	if r := Check(forged, public); r.OK || r.Problems[0].File != signatureFile {
		t.Error("a forgery kept the signature")
	}
	if r := Check(remade(t, data, func(f map[string][]byte) { delete(f, signatureFile) }), public); r.OK || !strings.Contains(r.Problems[0].Says, "not signed") {
		t.Error("no signature was taken for one")
	}
}
