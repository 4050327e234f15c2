package bundle

import (
	"fmt"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
)

// questions say in words what was asked.
var questions = map[string]string{
	"recipients": "Who received this person's data?",
	"timeline":   "What was done with this person's data?",
	"told":       "Who was told of the erasure, rectification or restriction of this person's data?",
	"access":     "Who accessed, used or handed on what?",
	"recipient":  "What did this recipient receive?",
	"breach":     "Whom does this breach affect?",
}

// forPerson says whether the answer is as the person itself may have it.
func forPerson(q *answer.Question) bool {
	return q.Recipients != nil && q.Recipients.For != "" || q.Timeline != nil && q.Timeline.For != "" || q.Told != nil && q.Told.For != ""
}

// readme says in plain words what is in the bundle.
func readme(m *Manifest, c *Completeness) []byte {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("The evidence for one answer")
	p("===========================")
	p("")
	p("Question:    %s", questions[m.Kind])
	p("Controller:  %s", m.Controller.Name)
	p("Asked:       %s, by somebody in the role %q", m.AskedAt.Format(time.RFC3339), m.Role)
	if m.Reason != "" {
		p("Because:     %s", m.Reason)
	}
	if forPerson(&m.Question) {
		p("For whom:    the person itself. What the law leaves out of such an answer is in no file here;")
		p("             answer.json says what that is, and on what ground (restrictions).")
	}
	p("")
	p("What is in this file")
	p("--------------------")
	p("")
	p("answer.json        the answer, as the program gave it")
	p("events.ndjson      the %d rows that it was counted from: one line for each event and person, with the", m.Events)
	p("                   place of the event in the log (topic, partition, offset) and the hash of its bytes")
	p("verdicts.ndjson    the %d verdicts on these, with the rules that decided; \"stands\" marks the last of each", m.Verdicts)
	p("facts.ndjson       the %d facts that were known of these persons, employees and recipients", m.Facts)
	p("registers/         what the controller had declared: each version of its register that judged an event")
	p("completeness.json  how far the log goes, and whether anything is missing in it")
	p("manifest.json      the question, and size and SHA-256 of each file")
	p("manifest.sig       if there: an Ed25519 signature of manifest.json, in base64")
	p("")
	p("Persons stand by pseudonyms, which only the controller can make from an identifier; employees by masks. Times")
	p("are of UTC. Who is a member of a cohort that data were sent of in bulk is not in this file.")
	p("")
	p("How to check it")
	p("---------------")
	p("")
	p("    andmerada bundle check FILE")
	p("")
	p("needs no network and no configuration. It says whether any byte was changed, counts the answer again from the")
	p("events, and judges the events again by the registers and the facts. Or by hand: unzip the file and compare")
	p("sha256sum with manifest.json. The register's version is a hash of its files, too.")
	p("")
	p("How complete it is")
	p("------------------")
	p("")
	if c.Complete {
		p("As of %s nothing was missing in the log, and nothing was in it twice:", c.AsOf.Format(time.RFC3339))
	} else {
		p("As of %s the log was NOT complete; completeness.json says where:", c.AsOf.Format(time.RFC3339))
	}
	for _, report := range c.Verified {
		for i := range report.Partitions {
			x := &report.Partitions[i]
			p("  %s, partition %d: offsets %d to %d; %d in the trail, %d in quarantine, %d recorded to be empty, %d missing, %d twice", report.Topic, x.Partition,
				x.First, x.Committed-1, x.Trail, x.Quarantine, x.Gaps, x.Missing, x.Doubled)
		}
	}
	if c.Quarantined > 0 {
		p("%d records could not be understood: whom they concern is not known.", c.Quarantined)
	}
	limits(p, c.Limits)
	p("What a system did and never reported cannot be seen here.")
	for _, v := range m.Missing {
		p("The register of version %s was not at hand any more: what it judged cannot be judged again.", v)
	}
	return []byte(b.String())
}

// limits says what stands against taking the log of the period for whole.
func limits(p func(format string, args ...any), l *answer.Limits) {
	if l == nil {
		return
	}
	for _, x := range l.Gaps {
		p("Offsets %d to %d of %s, partition %d, were %s before they could be read.", x.First, x.Last, x.Topic, x.Partition, x.Reason)
	}
	for _, x := range l.Unread {
		p("%d records of %s, partition %d, came in the period and could not be understood (%s).", x.Count, x.Topic, x.Partition, x.Reason)
	}
	if l.Systems == nil {
		return
	}
	for _, x := range l.Systems.Heard {
		if x.Silent {
			p("%s told of nothing in the period; before it, it did last at %s.", x.Source, x.Last.UTC().Format(time.RFC3339))
		}
	}
}
