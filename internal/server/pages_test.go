package server

import (
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/unusual"
)

// Every page has the structure that assistive technology goes by.
func TestPages(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	for name, c := range map[string]struct {
		res    response
		status int
		want   []string
	}{
		"overview":      {f.do("GET", "/", "", ""), 200, []string{"Newest violations", "The bank keeps the data in the EEA.", "§3.1", "<svg", "What waits for a review"}},
		"filtered":      {f.do("GET", "/?controller=acme&days=14", "", ""), 200, []string{`value="acme" selected`}},
		"form":          {f.do("GET", "/person", "", ""), 200, []string{`autocomplete="off"`, `method="post"`}},
		"form again":    {f.form("/person", "controller", "acme", "scheme", "pseudonym", "identifier", "x"), 422, []string{"govuk-error-summary", `href="#identifier"`, `aria-describedby="identifier-hint identifier-error"`}},
		"answer":        {f.form("/person", "controller", "acme", "scheme", "email", "identifier", answertest.Email), 200, []string{"Acme Bank AS", "Post24 OÜ", "couriers", "only a class of recipients", "contract (Art. 6(1)(b))", "To the person itself", "1 more arrived twice", "in quarantine"}},
		"nobody":        {f.form("/person", "controller", "acme", "scheme", "email", "identifier", "nobody@example.com"), 200, []string{"The trail holds nothing on this person"}},
		"event":         {f.do("GET", "/events/andmerada.events/0/2", "", ""), 200, []string{"Transfer to Acme Bank AS", "the data are kept in the EEA", "processor.storage_country", "it comes out as stored", "Europe/Tallinn", "/lineage?controller=acme&amp;event=andmerada.events/0/2"}},
		"fact":          {f.do("GET", "/events/andmerada.events/0/1", "", ""), 200, []string{"Fact: processor", "are not judged"}},
		"cohort":        {f.do("GET", "/events/andmerada.events/0/6", "", ""), 200, []string{"Members of a cohort", "june"}},
		"no event":      {f.do("GET", "/events/andmerada.events/0/10", "", ""), 404, []string{"no such event"}},
		"bad event":     {f.do("GET", "/events/a/b/c", "", ""), 404, []string{"no such event"}},
		"register":      {f.do("GET", "/register/acme", "", ""), 200, []string{"sending bills", "Acme Bank AS", "A-1", "§3.1", "access to one&#39;s data"}},
		"no register":   {f.do("GET", "/register/nobody", "", ""), 404, []string{"No register"}},
		"drift":         {f.do("GET", "/drift", "", ""), 200, []string{"Post24 OÜ", "acme/gossip", "/events/andmerada.events/0/11", "Everything that is declared was seen"}},
		"drift then":    {f.do("GET", "/drift?controller=acme&from=2026-03-11&to=2026-03-12", "", ""), 200, []string{`value="2026-03-11"`, "Nothing was seen", "2026-03-10"}},
		"bad drift":     {f.do("GET", "/drift?from=x", "", ""), 422, []string{"neither a day nor a time"}},
		"access form":   {f.do("GET", "/access?purpose=acme/billing", "", ""), 200, []string{`method="post"`, `value="acme/billing"`, "Acme Bank AS"}},
		"access":        {f.form("/access", "controller", "acme", "by", "role", "by2", "purpose"), 200, []string{"bookkeeper", "sending bills", "8</b> events", "Elsewhere AS", "✕ violation"}},
		"unusual form":  {f.do("GET", "/unusual?controller=acme&rules=U-01", "", ""), 200, []string{`method="post"`, `value="U-01"`, "A hit is no accusation"}},
		"unusual":       {f.form("/unusual", "controller", "acme", "from", "2026-03-01", "to", "2026-03-31"), 200, []string{"Nothing was out of the ordinary", "U-01", "own record", "2026-03-01"}},
		"bad unusual":   {f.form("/unusual", "controller", "acme", "rules", "U-01, U-99"), 422, []string{`href="#rules"`, `value="U-01, U-99"`, "There is no such rule"}},
		"long unusual":  {f.form("/unusual", "controller", "acme", "from", "2024-01-01"), 422, []string{`href="#from"`, "ask for a year at most"}},
		"access few":    {f.form("/access", "controller", "acme", "actors", "u17\r\nu18", "operation", "transfer", "reason", "case 7"), 200, []string{"actor-", "2</b> events", "by: u17, u18"}},
		"access by id":  {f.form("/access", "controller", "acme", "actors", "u17"), 422, []string{`href="#reason"`, "an actor is named by id"}},
		"access none":   {f.form("/access", "controller", "acme", "role", "nobody"), 200, []string{"No event of the trail is like that"}},
		"bad access":    {f.form("/access", "controller", "acme", "from", "2026-03-02", "to", "2026-03-01"), 422, []string{`href="#to"`, `id="to-error"`, `value="2026-03-02"`}},
		"breach form":   {f.do("GET", "/breach", "", ""), 200, []string{`id="w0-actors"`, "Add another window"}},
		"more":          {f.form("/breach", "controller", "acme", "w0-actors", "u17", "windows", "1", "do", "add"), 200, []string{`id="w1-set"`, "u17</textarea>"}},
		"breach":        {f.form("/breach", "controller", "acme", "w0-from", "2026-03-10T08:00", "onward", "2", "aware", "2026-03-11T00:00"), 200, []string{"2</b> persons affected", "1</b> cohort touched", "Art. 33(3)", "64 hours 0 minutes are left", "Elsewhere AS", "Keep this as a case"}},
		"joined":        {f.form("/breach", "controller", "acme", "windows", "2", "w0-actors", "u17", "w1-set", "difference", "w1-actors", "u17", "reason", "case 7"), 200, []string{"0</b> persons affected", "Not these persons", "Window 2"}},
		"late":          {f.form("/breach", "controller", "acme", "aware", "2026-03-01T00:00"), 200, []string{"The 72 hours are over since"}},
		"no breach":     {f.form("/breach", "controller", "acme", "w0-actors", "nobody", "reason", "case 7"), 200, []string{"No event of the trail is in these windows"}},
		"kept":          {f.form("/breach", "controller", "acme", "w0-actors", "u17", "freeze", "the bank", "reason", "case 7"), 200, []string{`href="/cases/20260311-`, "the bank"}},
		"bad breach":    {f.form("/breach", "controller", "acme", "windows", "2", "w1-from", "2026-03-05T00:00", "w1-to", "2026-03-04T00:00"), 422, []string{`href="#w1-to"`, `id="w1-to-error"`, `value="2026-03-05T00:00"`}},
		"cases":         {f.do("GET", "/cases", "", ""), 200, []string{"a leak", "/cases/" + answertest.Case}},
		"case":          {f.do("GET", "/cases/"+answertest.Case, "", ""), 200, []string{"Case: a leak", "1 person", "Pseudonym"}},
		"no case":       {f.do("GET", "/cases/nothing", "", ""), 404, []string{"no such case"}},
		"to whom":       {f.do("GET", "/recipient?controller=acme&recipient=acme/bank", "", ""), 200, []string{`enctype="multipart/form-data"`, `value="acme/bank"`}},
		"recipient":     {f.form("/recipient", "controller", "acme", "recipient", "acme/bank"), 200, []string{"What Acme Bank AS received", "yes, as processor in EE", "The bank keeps the data in the EEA.", "sending bills", "contract"}},
		"undeclared":    {f.form("/recipient", "controller", "acme", "entity", "Post24 OÜ"), 200, []string{"What Post24 OÜ received", "2026-03-10"}},
		"no recipient":  {f.form("/recipient", "controller", "acme"), 422, []string{`href="#recipient"`, "No recipient is named"}},
		"nothing":       {f.form("/recipient", "controller", "acme", "entity", "nobody"), 200, []string{"The trail holds nothing that this recipient was given"}},
		"receipts":      {f.upload("/recipient", "id\ne-0800\nlost\nlost\n", "controller", "acme", "recipient", "acme/bank"), 200, []string{"do not agree", "1</b> sent and received", "1</b> sent, not received", "1</b> received, not sent", "e-1800"}},
		"day receipts":  {f.upload("/recipient", "day;count\n2026-03-10;2\n", "controller", "acme", "recipient", "acme/bank"), 200, []string{"The receipts and the trail agree", "1</b> day agrees"}},
		"bad receipts":  {f.upload("/recipient", "a,b\n1,2\n", "controller", "acme", "recipient", "acme/bank"), 422, []string{`href="#receipts"`, "name the columns", `value="acme/bank"`}},
		"told":          {f.form("/told", "controller", "acme", "scheme", "email", "identifier", answertest.Email, "since", "2026-01-01"), 200, []string{"Post24 OÜ", "overdue: not told", "as you say", "nobody to tell"}},
		"told nothing":  {f.form("/told", "controller", "acme", "scheme", "email", "identifier", "nobody@example.com"), 200, []string{"there is nobody to tell"}},
		"told when":     {f.form("/told", "controller", "acme", "scheme", "email", "identifier", answertest.Email, "days", "x"), 422, []string{`href="#days"`}},
		"told whom":     {f.form("/told", "controller", "acme", "scheme", "email"), 422, []string{`href="#identifier"`}},
		"tellings form": {f.do("GET", "/tellings?controller=acme&operations=erase", "", ""), 200, []string{`method="post"`, `<option value="erase" selected`}},
		"tellings":      {f.form("/tellings", "controller", "acme"), 200, []string{"No request is open", "Days to tell, and to answer"}},
		"tellings when": {f.form("/tellings", "controller", "acme", "days", "366"), 422, []string{`href="#days"`}},
		"tellings of":   {f.form("/tellings", "controller", "acme", "from", "2026-03-02", "to", "2026-03-01"), 422, []string{`href="#to"`}},
		"facts":         {f.form("/facts", "controller", "acme", "recipient", "acme/bank"), 200, []string{"processor.storage_country", "US", "✓ holds"}},
		"facts then":    {f.form("/facts", "controller", "acme", "recipient", "acme/bank", "at", "2026-03-01T00:00"), 200, []string{"true only later", "Nothing is known"}},
		"facts of him":  {f.form("/facts", "controller", "acme", "scheme", "email", "identifier", answertest.Email), 200, []string{"identity", "2 identifiers"}},
		"whose facts":   {f.form("/facts", "controller", "acme"), 422, []string{"name a person, an actor or a recipient"}},
		"lineage of":    {f.do("GET", "/lineage?event=andmerada.events/0/2", "", ""), 200, []string{`value="andmerada.events/0/2"`, "<details class=\"govuk-details\" open"}},
		"lineage":       {f.form("/lineage", "controller", "acme"), 200, []string{"a-graph", "/acme/crm", "sending bills", "Elsewhere AS", "✕ violation"}},
		"of an event":   {f.form("/lineage", "controller", "acme", "event", "andmerada.events/0/2", "fold", "1"), 200, []string{"the same person&#39;s data", "Before it", "Nothing of that kind", "After it", "They went nowhere"}},
		"of a use":      {f.form("/lineage", "controller", "acme", "event", "andmerada.events/0/5"), 200, []string{"2 pseudonyms", "transfer", "to Acme Bank AS", "a-graph"}},
		"of a cohort":   {f.form("/lineage", "controller", "acme", "event", "andmerada.events/0/7"), 200, []string{"the 2 members of its cohort"}},
		"not in it":     {f.form("/lineage", "controller", "acme", "event", "andmerada.events/0/99"), 404, []string{"no such event"}},
		"of a person":   {f.form("/lineage", "controller", "acme", "scheme", "customer-number", "identifier", answertest.Other), 200, []string{"Elsewhere AS"}},
		"no lineage":    {f.form("/lineage", "controller", "acme", "system", "nothing"), 200, []string{"no data came or went"}},
		"bad place":     {f.form("/lineage", "controller", "acme", "event", "x"), 422, []string{`href="#event"`, "andmerada.events/0/17"}},
		"reveals":       {f.do("GET", "/reveals?event=andmerada.events/0/2", "", ""), 200, []string{`value="andmerada.events/0/2"`, "Nothing was asked for", "Tell me"}},
		"reveal":        {f.form("/reveals", "event", "andmerada.events/0/2", "reason", "case 9"), 200, []string{"u17", "is in the trail"}},
		"api":           {f.do("GET", "/api", "", ""), 200, []string{"answer-recipients", "/v1/answers/breach", "curl -H", "windows[].actors[]", "Andmerada-Reason"}},
		"no page":       {f.do("GET", "/nothing", "", ""), 404, []string{"no such page"}},
	} {
		if c.res.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", name, c.res.StatusCode, c.status)
		}
		for _, want := range c.want {
			if !strings.Contains(c.res.text, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		doc, err := html.Parse(strings.NewReader(c.res.text))
		if err != nil {
			t.Fatal(err)
		}
		structure(t, name, doc)
	}
	for _, asset := range []string{"govuk.css", "andmerada.css", "icon.svg"} {
		if res := f.do("GET", "/assets/"+asset, "", ""); res.StatusCode != 200 || strings.Contains(res.text, "@font-face") {
			t.Errorf("%s: %d", asset, res.StatusCode)
		}
	}
}

func structure(t *testing.T, page string, doc *html.Node) {
	t.Helper()
	count := make(map[string]int)
	ids := make(map[string]bool)
	var targets []string
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		count[n.Data]++
		attr := make(map[string]string)
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("%s: <%s> has %s, which the content security policy forbids", page, n.Data, a.Key)
			}
		}
		if id := attr["id"]; id != "" {
			if ids[id] {
				t.Errorf("%s: id %q twice", page, id)
			}
			ids[id] = true
		}
		targets = append(targets, strings.Fields(attr["aria-labelledby"])...)
		targets = append(targets, strings.Fields(attr["aria-describedby"])...)
		if fragment, ok := strings.CutPrefix(attr["href"], "#"); ok {
			targets = append(targets, fragment)
		}
		switch n.Data {
		case "html":
			if attr["lang"] != "en" {
				t.Errorf("%s: language %q", page, attr["lang"])
			}
		case "table":
			if first := n.FirstChild; first == nil || !has(n, "caption") {
				t.Errorf("%s: a table without a caption", page)
			}
		case "th":
			if attr["scope"] == "" {
				t.Errorf("%s: <th> without scope", page)
			}
		case "label":
			targets = append(targets, attr["for"])
		case "script":
			t.Errorf("%s: a script", page)
		}
	}
	for _, target := range targets {
		if !ids[target] {
			t.Errorf("%s: nothing has the id %q", page, target)
		}
	}
	for element, want := range map[string]int{"main": 1, "header": 1, "nav": 1, "footer": 1, "h1": 1, "title": -1} {
		if got := count[element]; want > 0 && got != want || got == 0 {
			t.Errorf("%s: %d <%s>", page, got, element)
		}
	}
}

func has(n *html.Node, element string) bool {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == element {
			return true
		}
	}
	return false
}

// What is unusual is listed with its numbers and leads to the event, and who acted
// is masked.
func TestUnusualPage(t *testing.T) {
	t.Parallel()
	rules, err := unusual.Parse("rules.yaml", []byte(`
andmerada: unusual/v1
history_days: 30
operations: [transfer]
rules:
  - {id: MANY, kind: volume, severity: high, title: So many, why: Just so., per: day, minimum: 1, deviations: 1, own_days: 1, percentile: 99, peers: 1, always: 1}
  - {id: OFF, kind: own-record, severity: low, title: Own, why: Just so., unless_reason: false, off_for: [acme]}
`))
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, func(c *Config) { c.Answers.Unusual = rules })
	res := f.form("/unusual", "controller", "acme", "from", "2026-03-01", "to", "2026-03-31")
	for _, want := range []string{"So many", "✕ high", "1 person in a day.", "actor-", "bookkeeper", "/events/andmerada.events/0/2", "2 events of 1 actor", "not asked", "Habits learnt since"} {
		if !strings.Contains(res.text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if res.StatusCode != 200 || strings.Contains(res.text, "u17") {
		t.Errorf("%d, or the actor is named", res.StatusCode)
	}
	doc, err := html.Parse(strings.NewReader(res.text))
	if err != nil {
		t.Fatal(err)
	}
	structure(t, "unusual with hits", doc)
	api := f.json("/v1/answers/unusual", `{"controller":"acme","from":"2026-03-01","to":"2026-03-31","rules":["MANY"]}`)
	if !strings.Contains(api.text, `"says":"1 person in a day"`) || !strings.Contains(api.text, `"numbers":{"persons":1}`) {
		t.Errorf("the API says %s", api.text)
	}
}
