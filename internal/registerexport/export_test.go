package registerexport_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/piprate/json-gold/ld"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/registerexport"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const categories = `andmerada: categories/v1
categories:
  - {id: name, name: {en: name}, group: identity, dpv: "pd:Name"}
  - {id: phone, name: {en: phone number}, group: contact}
`

const acme = `andmerada: register/v1
controller: {id: acme, name: "=HYPERLINK(\"http://evil\")", country: EE, zone: Europe/Tallinn, contact: "+372 600 0000", supervisory_authority: Andmekaitse Inspektsioon}
notice: {title: Privaatsus, language: et, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, dated: "2024-01-01", clauses: by sentence}
in_force: {from: "2024-01-01"}
period_convention: calendar
lists: {purposes: closed, recipients: closed}
definitions:
  - {term: klient, name: {en: Client}, meaning: "whoever has a contract, or had one", clauses: ["§1"]}
categories: []
purposes:
  - {id: billing, name: {en: billing, et: arveldamine}, legal_basis: [contract], legal_basis_status: inferred, clauses: ["§2"], categories: [name, phone], categories_scope: explicit, dpv: ["dpv:PaymentManagement"]}
  - {id: marketing, name: {en: "marketing, \"offers\""}, legal_basis: [consent], legal_basis_status: stated, clauses: ["§3"], categories: [name], open_ended: true, categories_scope: explicit}
  - {id: research, name: {en: research}, legal_basis: [], legal_basis_status: not-stated, clauses: ["§3"], categories: [name], categories_scope: explicit}
recipients:
  - {id: bank, name: {en: the bank}, kind: processor, purposes: [billing], country: US, conditions: [under contract], clauses: ["§4"]}
  - {id: anyone, name: {en: "@partners"}, kind: partner, purposes: [all], clauses: ["§4"]}
sources: []
rules:
  - id: A-1
    title: Abroad
    kind: transfer-geo
    clauses: ["§4"]
    says: The bank keeps the data by standard clauses.
    applies: {purposes: [billing]}
    not_judged: no event tells
    status: stated
retention:
  - {id: A-T1, title: Bills, kind: retention, clauses: ["§5"], says: Bills are kept for 7 years., period: {length: P7Y, from: end of the year, meaning: floor-and-ceiling, exceptions: [a dispute]}, applies: {purposes: [billing]}, not_judged: no event tells, status: stated}
  - {id: A-T2, title: The rest, kind: retention, clauses: ["§5"], says: As long as needed., period: {length: as long as needed, from: the purpose achieved, meaning: storage-limitation}, not_judged: no event tells, status: stated}
  - {id: A-T3, title: A window, kind: retention, clauses: ["§5"], says: For telling others., period: {length: P30D, from: the breach, meaning: window}, not_judged: no event tells, status: stated}
rights:
  - {id: access, name: {en: access}, clauses: ["§6"]}
  - {id: stop-offers, name: {en: to stop offers}, clauses: ["§6"], condition: by e-mail}
`

func example(t *testing.T) []*register.Register {
	t.Helper()
	r, findings := register.Parse("acme/2024-01-01.yaml", []byte(acme), []byte(categories))
	if r == nil {
		t.Fatal(findings)
	}
	return []*register.Register{r}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	file = "testdata/" + file
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil { //nolint:gosec // a golden file
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what is written now:\n%s", file, got)
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	dpv, err := registerexport.DPV(example(t))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "acme.jsonld", dpv)
	ropa, err := registerexport.ROPA(example(t))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "acme.csv", ropa)
}

// offline refuses to fetch anything: the context is within the file.
type offline struct{}

func (offline) LoadDocument(u string) (*ld.RemoteDocument, error) {
	return nil, errors.New("the file needs " + u)
}

func shipped(t *testing.T) []*register.Register {
	t.Helper()
	set, err := register.Load(registers.FS)
	if err != nil {
		t.Fatal(err)
	}
	return set.All()
}

// TestDPVIsLinkedData expands the registers that come with Andmerada by a
// JSON-LD processor that is not ours, and looks that nothing is lost: a
// processor passes over what it cannot resolve in silence.
func TestDPVIsLinkedData(t *testing.T) {
	t.Parallel()
	for name, all := range map[string][]*register.Register{"example": example(t), "shipped": shipped(t)} {
		data, err := registerexport.DPV(all)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		opts := ld.NewJsonLdOptions("")
		opts.DocumentLoader = offline{}
		expanded, err := ld.NewJsonLdProcessor().Expand(doc, opts)
		if err != nil {
			t.Fatalf("%s: expand: %v", name, err)
		}
		graph, _ := doc["@graph"].([]any)
		if len(graph) == 0 || len(expanded) != len(graph) {
			t.Fatalf("%s: %d nodes written, %d read", name, len(graph), len(expanded))
		}
		known := make(map[string]bool)
		for i := range graph {
			written, read := graph[i].(map[string]any), expanded[i].(map[string]any)
			known[read["@id"].(string)] = true
			if len(written) != len(read) {
				t.Errorf("%s: %v: %d properties written, %d read", name, written["@id"], len(written), len(read))
			}
		}
		for _, n := range expanded {
			checkTerms(t, n, known)
		}
		rdf, err := ld.NewJsonLdProcessor().ToRDF(doc, opts)
		if err != nil {
			t.Fatalf("%s: to RDF: %v", name, err)
		}
		if quads := rdf.(*ld.RDFDataset).GetQuads("@default"); len(quads) < len(graph) {
			t.Errorf("%s: %d statements of %d nodes", name, len(quads), len(graph))
		}
	}
}

// dpvTerms are the properties and classes of DPV 2.2 that the export writes by
// itself; those of purposes and categories come from the registers.
var dpvTerms = strings.Fields(`Authority DataController DataProcessor DataProtectionAuthority DataSubProcessor DataSubject DataSubjectRight IndeterminateDuration PersonalData
PrivacyNotice Process Purpose Recipient StorageDuration TemporalDuration ThirdParty UntilEventDuration hasAuthority hasContact hasDataController hasDataSubject hasDuration
hasLegalBasis hasLocation hasName hasNotice hasPersonalData hasProcess hasPurpose hasRecipient hasRight hasStorageCondition`)

// checkTerms looks that properties are terms that exist, types are of DPV, and
// references lead to a node of the document or to a term.
func checkTerms(t *testing.T, v any, known map[string]bool) {
	t.Helper()
	const dpv = "https://w3id.org/dpv"
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			checkTerms(t, x, known)
		}
	case map[string]any:
		for key, x := range v {
			if term, ok := strings.CutPrefix(key, dpv+"#"); ok && !slices.Contains(dpvTerms, term) {
				t.Errorf("%s is no property of DPV", key)
			}
			switch key {
			case "@type":
				list, isList := x.([]any)
				if !isList {
					continue // of a value
				}
				for _, class := range list {
					if s, _ := class.(string); !strings.HasPrefix(s, dpv+"#") && !strings.HasPrefix(s, dpv+"/pd#") && !strings.HasPrefix(s, dpv+"/legal/eu/gdpr#") {
						t.Errorf("%v is no class of DPV", class)
					}
				}
			case "@id":
				if s, _ := x.(string); !known[s] && !strings.HasPrefix(s, dpv) {
					t.Errorf("%v is named, but not in the document", x)
				}
			default:
				checkTerms(t, x, known)
			}
		}
	}
}

func TestDPVOfEveryPurpose(t *testing.T) {
	t.Parallel()
	for _, r := range shipped(t) {
		data, err := registerexport.DPV([]*register.Register{r})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Purposes {
			if !bytes.Contains(data, []byte(`:process:`+p.ID+`"`)) {
				t.Errorf("%s: no process of the purpose %s", r.File, p.ID)
			}
		}
	}
}

func TestROPAIsCSV(t *testing.T) {
	t.Parallel()
	all := slices.Concat(shipped(t), example(t))
	data, err := registerexport.ROPA(all)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	purposes := 0
	for _, r := range all {
		purposes += len(r.Purposes)
	}
	if len(rows) != 1+purposes {
		t.Errorf("%d lines, want the names of the columns and %d purposes", len(rows), purposes)
	}
	for _, row := range rows {
		for i, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") {
				t.Errorf("%s: %q could be run as a formula", rows[0][i], cell)
			}
		}
	}
}
