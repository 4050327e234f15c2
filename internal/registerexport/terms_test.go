package registerexport_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/registerexport"
)

// term is how a term of DPV is written by its prefix. A blank or a slash in one
// would make it another IRI, which a processor of JSON-LD does not notice.
var term = regexp.MustCompile(`^[a-z-]+:[A-Za-z0-9-]+$`)

func TestDPVTermsAreWellFormed(t *testing.T) {
	t.Parallel()
	for _, r := range slices.Concat(shipped(t), example(t)) {
		doc := document(t, r)
		found := 0
		eachText(doc["@graph"], func(s string) {
			for _, prefix := range []string{"dpv:", "pd:", "eu-gdpr:"} {
				if !strings.HasPrefix(s, prefix) {
					continue
				}
				found++
				if !term.MatchString(s) {
					t.Errorf("%s: %q is no term", r.File, s)
				}
			}
		})
		if found == 0 {
			t.Errorf("%s: no term of DPV", r.File)
		}
	}
}

// TestDPVPurposesOnce looks that each purpose has one process and one node of
// its own, that the register's process names each once, and no others.
func TestDPVPurposesOnce(t *testing.T) {
	t.Parallel()
	for _, r := range slices.Concat(shipped(t), example(t)) {
		nodes, named := make(map[string]int), make(map[string]int)
		graph, _ := document(t, r)["@graph"].([]any)
		for _, x := range graph {
			n, _ := x.(map[string]any)
			id, _ := n["@id"].(string)
			for _, kind := range []string{":process:", ":purpose:"} {
				if _, of, ok := strings.Cut(id, kind); ok {
					nodes[kind+of]++
				}
			}
			list, _ := n["dpv:hasProcess"].([]any)
			for _, to := range list {
				ref, _ := to.(map[string]any)
				id, _ := ref["@id"].(string)
				_, of, _ := strings.Cut(id, ":process:")
				named[of]++
			}
		}
		for i := range r.Purposes {
			id := r.Purposes[i].ID
			if nodes[":process:"+id] != 1 || nodes[":purpose:"+id] != 1 || named[id] != 1 {
				t.Errorf("%s: %s has %d processes and %d purposes, and is named %d times; want one of each",
					r.File, id, nodes[":process:"+id], nodes[":purpose:"+id], named[id])
			}
		}
		if len(nodes) != 2*len(r.Purposes) || len(named) != len(r.Purposes) {
			t.Errorf("%s: %d nodes and %d names of %d purposes", r.File, len(nodes), len(named), len(r.Purposes))
		}
	}
}

func document(t *testing.T, r *register.Register) map[string]any {
	t.Helper()
	data, err := registerexport.DPV([]*register.Register{r})
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatalf("%s: %v", r.File, err)
	}
	return doc
}

// eachText gives every key, and every text but those of literals.
func eachText(v any, do func(string)) {
	switch v := v.(type) {
	case string:
		do(v)
	case []any:
		for _, x := range v {
			eachText(x, do)
		}
	case map[string]any:
		for key, x := range v {
			do(key)
			if key != "@value" {
				eachText(x, do)
			}
		}
	}
}
