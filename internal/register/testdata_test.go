package register_test

import (
	"io/fs"
	"strings"
	"testing"

	registers "github.com/andmerada/andmerada/deploy/registers"
)

// minimal is a small register that checks; tests break it in one place.
const minimal = `andmerada: register/v1
controller:
  id: acme
  name: Acme OÜ
  country: EE
  zone: Europe/Tallinn
notice:
  title: Privacy notice
  language: et
  sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
  clauses: printed numbers
in_force:
  from: "2024-01-01"
period_convention: calendar
lists:
  purposes: closed
  recipients: open
categories:
  - id: name
    name: {et: nimi}
    clauses: ["§1"]
category_lists:
  - id: who
    clauses: ["§1"]
    categories: [name, phone]
purposes:
  - id: billing
    name: {en: billing}
    legal_basis: [contract]
    legal_basis_status: stated
    clauses: ["§2"]
    categories: ["@who"]
    categories_scope: explicit
recipients:
  - id: bank
    name: {en: the bank}
    kind: processor
    purposes: [billing]
    clauses: ["§3"]
sources: []
rules:
  - id: A-1
    title: Banks in the EEA
    kind: transfer-geo
    clauses: ["§3"]
    says: The bank keeps the data in the EEA.
    applies:
      operations: [transfer]
      recipients: [bank]
    requires:
      - that: in_eea(processor.storage_country, event.date)
        says: the data are kept in the EEA
    status: stated
retention: []
rights: []
`

func categories(t testing.TB) []byte {
	t.Helper()
	data, err := fs.ReadFile(registers.FS, "categories.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// lineOf is the number of the first line of text that holds part.
func lineOf(t testing.TB, text, part string) int {
	t.Helper()
	before, _, ok := strings.Cut(text, part)
	if !ok {
		t.Fatalf("no %q in the register", part)
	}
	return 1 + strings.Count(before, "\n")
}
