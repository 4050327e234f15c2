package registerexport

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/andmerada/andmerada/internal/register"
)

// vocabularies are the prefixes of the terms: the Data Privacy Vocabulary 2.2
// with its extensions for categories of data and for the GDPR, and what labels
// and dates are written in. The context is within the file, so that nobody has
// to fetch anything to read it.
var vocabularies = map[string]any{
	"dpv":     "https://w3id.org/dpv#",
	"pd":      "https://w3id.org/dpv/pd#",
	"eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
	"dct":     "http://purl.org/dc/terms/",
	"rdf":     "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
	"skos":    "http://www.w3.org/2004/02/skos/core#",
	"xsd":     "http://www.w3.org/2001/XMLSchema#",
}

// bases are the legal bases of GDPR Art. 6(1), by DPV's extension for it.
var bases = map[string]string{
	"consent":             "eu-gdpr:A6-1-a",
	"contract":            "eu-gdpr:A6-1-b-contract-performance",
	"pre-contract":        "eu-gdpr:A6-1-b-enter-into-contract",
	"legal-obligation":    "eu-gdpr:A6-1-c",
	"vital-interest":      "eu-gdpr:A6-1-d",
	"public-task":         "eu-gdpr:A6-1-e",
	"legitimate-interest": "eu-gdpr:A6-1-f",
}

// rights are the rights of the GDPR by the ids that registers give them. One
// that is not here, such as to stop electronic offers, is a right of the notice.
var rights = map[string]string{
	"access":                       "eu-gdpr:A15",
	"copy":                         "eu-gdpr:A15",
	"rectification":                "eu-gdpr:A16",
	"erasure":                      "eu-gdpr:A17",
	"restriction":                  "eu-gdpr:A18",
	"portability":                  "eu-gdpr:A20",
	"objection":                    "eu-gdpr:A21",
	"review-of-automated-decision": "eu-gdpr:A22",
	"withdraw-consent":             "eu-gdpr:A7-3",
	"complaint":                    "eu-gdpr:A77",
}

// recipientTypes are the kinds of recipients that DPV has a class for.
var recipientTypes = map[string]string{
	"processor":     "dpv:DataProcessor",
	"sub-processor": "dpv:DataSubProcessor",
	"authority":     "dpv:Authority",
	"controller":    "dpv:DataController",
	"third-party":   "dpv:ThirdParty",
}

type node = map[string]any

// DPV writes registers as one JSON-LD document. Each register is a dpv:Process
// that has one dpv:Process a purpose (dpv:PersonalDataHandling, its older name,
// is to be deprecated). What a register declares is named by IRIs of its own,
// urn:andmerada:register:<controller>:<date>:<kind>:<id>, with the terms of DPV
// as their types.
func DPV(registers []*register.Register) ([]byte, error) {
	g := &graph{nodes: make(map[string]node)}
	for _, r := range registers {
		g.register(r)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(node{"@context": vocabularies, "@graph": g.list()}); err != nil {
		return nil, fmt.Errorf("write JSON-LD: %w", err)
	}
	return out.Bytes(), nil
}

// graph collects nodes; the shared ones, such as categories, once.
type graph struct{ nodes map[string]node }

func (g *graph) list() []node {
	out := make([]node, 0, len(g.nodes))
	for _, id := range slices.Sorted(maps.Keys(g.nodes)) {
		out = append(out, g.nodes[id])
	}
	return out
}

// add keeps a node, without what is empty in it, and gives a reference to it.
func (g *graph) add(id string, n node) node {
	for key, v := range n {
		if s, isText := v.(string); v == nil || isText && s == "" {
			delete(n, key)
		} else if list, isList := v.([]any); isList && len(list) == 0 {
			delete(n, key)
		}
	}
	n["@id"] = id
	g.nodes[id] = n
	return ref(id)
}

func ref(id string) node { return node{"@id": id} }

// iri is the name of something that is declared here.
func iri(parts ...string) string {
	name := "urn:andmerada"
	for _, part := range parts {
		name += ":" + escaped(part)
	}
	return name
}

// escaped writes what may not stand in a URN as it is (RFC 3986 §2.3, RFC 8141)
// by the hexadecimal digits of its bytes.
func escaped(part string) string {
	var b strings.Builder
	for i := range len(part) {
		switch c := part[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// label is a name in its languages.
func label(n register.Names) []any {
	var out []any
	for _, language := range slices.Sorted(maps.Keys(n)) {
		out = append(out, node{"@value": n[language], "@language": language})
	}
	return out
}

// english is a text of the register's own.
func english(text string) any {
	if text = strings.Join(strings.Fields(text), " "); text == "" {
		return nil
	}
	return node{"@value": text, "@language": "en"}
}

func date(text string) any {
	if text == "" {
		return nil
	}
	return node{"@value": text, "@type": "xsd:date"}
}

func types(first string, more ...string) []any {
	out := []any{first}
	for _, t := range more {
		if t != "" && !slices.Contains(out, any(t)) {
			out = append(out, t)
		}
	}
	return out
}

// exporter writes one register into the graph.
type exporter struct {
	*graph
	r    *register.Register
	base []string // of its IRIs
}

func (g *graph) register(r *register.Register) {
	e := &exporter{g, r, []string{"register", r.Controller.ID, cmp.Or(r.InForce.From, "undated")}}
	controller := g.add(iri("controller", r.Controller.ID), node{
		"@type": types("dpv:DataController"), "dpv:hasName": r.Controller.Name, "dpv:hasContact": r.Controller.Contact, "dpv:hasLocation": r.Controller.Country,
	})
	var authority any
	if r.Controller.Authority != "" {
		authority = g.add(e.iri("authority"), node{"@type": types("dpv:DataProtectionAuthority"), "dpv:hasName": r.Controller.Authority})
	}
	notice := g.add(e.iri("notice"), node{
		"@type":     types("dpv:PrivacyNotice"),
		"dct:title": node{"@value": r.Notice.Title, "@language": r.Notice.Language}, "dct:language": r.Notice.Language,
		"dct:issued": date(r.Notice.Dated), "dct:identifier": "sha256:" + r.Notice.SHA256,
	})
	var processes, all []any
	for i := range r.Purposes {
		processes = append(processes, e.process(&r.Purposes[i], controller))
	}
	for i := range r.Rights {
		all = append(all, e.right(&r.Rights[i]))
	}
	g.add(iri(e.base...), node{
		"@type": types("dpv:Process"), "dpv:hasDataController": controller, "dpv:hasAuthority": authority, "dpv:hasNotice": notice,
		"dpv:hasProcess": processes, "dpv:hasRight": all, "dct:valid": date(r.InForce.From), "dct:identifier": r.Version,
	})
}

func (e *exporter) iri(parts ...string) string {
	return iri(append(slices.Clone(e.base), parts...)...)
}

// clauses refers to where the notice says so.
func (e *exporter) clauses(ids []string) (out []any) {
	for _, id := range ids {
		out = append(out, e.add(e.iri("clause", id), node{"dct:identifier": id, "dct:isPartOf": ref(e.iri("notice"))}))
	}
	return out
}

// process is what is done for one purpose.
func (e *exporter) process(p *register.PurposeSource, controller node) node {
	n := node{
		"@type": types("dpv:Process"), "dpv:hasDataController": controller, "dpv:hasDataSubject": ref("dpv:DataSubject"), "dct:source": e.clauses(p.Clauses),
	}
	n["dpv:hasPurpose"] = e.add(e.iri("purpose", p.ID), node{
		"@type": types("dpv:Purpose", p.DPV...), "skos:prefLabel": label(p.Name), "skos:scopeNote": english(p.Condition),
	})
	var data, recipients, basis, storage []any
	for _, id := range covered(e.r, p) {
		data = append(data, e.category(id))
	}
	for i := range e.r.Recipients {
		if to := &e.r.Recipients[i]; to.Accepts(e.r.FullID(p.ID)) {
			recipients = append(recipients, e.recipient(to))
		}
	}
	for _, b := range p.LegalBasis {
		basis = append(basis, ref(bases[b]))
	}
	for _, period := range periods(e.r, p.ID) {
		storage = append(storage, e.storage(period))
	}
	n["dpv:hasPersonalData"], n["dpv:hasRecipient"], n["dpv:hasLegalBasis"], n["dpv:hasStorageCondition"] = data, recipients, basis, storage
	if p.BasisStatus == "inferred" {
		n["dct:description"] = english("The notice does not state the legal basis: it is inferred.")
	}
	return e.add(e.iri("process", p.ID), n)
}

// category is a category of data, which all registers share.
func (e *exporter) category(id string) node {
	c, _ := e.r.Vocab.Category(id)
	return e.add(iri("category", id), node{"@type": types("dpv:PersonalData", c.DPV), "skos:prefLabel": label(c.Name)})
}

func (e *exporter) recipient(to *register.RecipientEntry) node {
	return e.add(e.iri("recipient", to.ID), node{
		"@type": types("dpv:Recipient", recipientTypes[to.Kind]), "skos:prefLabel": label(to.Name), "dpv:hasLocation": to.Country,
		"dct:description": english(strings.Join(to.Conditions, "; ")), "dct:source": e.clauses(to.Clauses),
	})
}

// storage is a retention period. One of ISO 8601 is given as such beside the
// words, since what it starts with is in the words only.
func (e *exporter) storage(rule *register.RuleSource) node {
	duration := node{"@type": types("dpv:IndeterminateDuration"), "dct:description": english(timeLimit(rule))}
	switch {
	case register.Duration(rule.Period.Length) != strings.Join(strings.Fields(rule.Period.Length), " "):
		duration["@type"] = types("dpv:TemporalDuration")
		duration["rdf:value"] = node{"@value": rule.Period.Length, "@type": "xsd:duration"}
	case rule.Period.Meaning == "during":
		duration["@type"] = types("dpv:UntilEventDuration")
	}
	return e.add(e.iri("retention", rule.ID), node{
		"@type": types("dpv:StorageDuration"), "dpv:hasDuration": duration, "skos:prefLabel": english(rule.Title),
		"dct:description": english(rule.Says), "dct:source": e.clauses(rule.Clauses),
	})
}

func (e *exporter) right(right *register.Right) node {
	return e.add(e.iri("right", right.ID), node{
		"@type": types("dpv:DataSubjectRight", rights[right.ID]), "skos:prefLabel": label(right.Name),
		"dct:description": english(right.Condition), "dct:source": e.clauses(right.Clauses),
	})
}
