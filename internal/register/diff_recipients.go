package register

import (
	"cmp"
	"fmt"
	"slices"
)

func (d *differ) recipients() {
	says := "the list of recipients is now closed: nobody else may receive data"
	if d.b.Lists.Recipients == openList {
		says = "the list of recipients is now open: others may receive data too"
	}
	d.change(DiffRecipients, "lists.recipients", d.a.Lists.Recipients, d.b.Lists.Recipients, says)
	each(d.a.Recipients, d.b.Recipients, func(e *RecipientEntry) string { return e.ID }, d.recipient,
		func(e *RecipientEntry) {
			d.add(DiffRecipients, recipientPath(e), fmt.Sprintf("%s may now receive data, for %s%s", e.Name.In("en"), d.b.forPurposes(e), ifAny(oneLine(e.Receives), "; what: ")))
		},
		func(e *RecipientEntry) {
			d.remove(DiffRecipients, recipientPath(e), fmt.Sprintf("%s may no longer receive data", e.Name.In("en")))
		})
	each(d.a.NotRecipients, d.b.NotRecipients, func(n *NotRecipient) string { return n.Name }, func(a, b *NotRecipient) {},
		func(n *NotRecipient) {
			d.add(DiffRecipients, "not_recipients["+n.Name+"]", fmt.Sprintf("%s is now said to be no recipient", n.Name))
		},
		func(n *NotRecipient) {
			d.remove(DiffRecipients, "not_recipients["+n.Name+"]", fmt.Sprintf("%s is no longer said to be no recipient", n.Name))
		})
}

func recipientPath(e *RecipientEntry) string { return "recipients[" + e.ID + "]" }

// forPurposes names the purposes for which a recipient may be given data.
func (r *Register) forPurposes(e *RecipientEntry) string {
	if slices.Contains(e.Purposes, allPurposes) {
		return "any purpose"
	}
	return cmp.Or(r.purposeNames(e.Purposes), "no purpose that the notice names")
}

func (d *differ) recipient(a, b *RecipientEntry) {
	path, name := recipientPath(b), b.Name.In("en")
	d.words(DiffRecipients, path+".name", a.Name.In("en"), name, fmt.Sprintf("%s is now called %s", quoted(a.Name.In("en")), quoted(name)))
	d.change(DiffRecipients, path+".kind", a.Kind, b.Kind,
		fmt.Sprintf("%s now acts as: %s", name, instead(Term(TermRecipientKind, b.Kind, "en"), Term(TermRecipientKind, a.Kind, "en"))))
	d.members(DiffRecipients, path+".purposes", a.Purposes, b.Purposes,
		func(p string) string {
			return fmt.Sprintf("%s may now receive data for %s", name, d.b.purposeOrAny(p))
		},
		func(p string) string {
			return fmt.Sprintf("%s may no longer receive data for %s", name, d.a.purposeOrAny(p))
		})
	before, after := d.a.reaching(a), d.b.reaching(b)
	for _, c := range outside(d.a, before, after) {
		d.add(DiffRecipients, path+".data["+c+"]", fmt.Sprintf("%s may now receive %s", name, d.b.CategoryName(c, "en")))
	}
	for _, c := range outside(d.b, after, before) {
		d.remove(DiffRecipients, path+".data["+c+"]", fmt.Sprintf("%s may no longer receive %s", name, d.a.CategoryName(c, "en")))
	}
	d.words(DiffRecipients, path+".receives", a.Receives, b.Receives,
		fmt.Sprintf("what %s may receive: %s", name, instead(quotedOr(b.Receives), quotedOr(a.Receives))))
	d.change(DiffRecipients, path+".country", a.Country, b.Country, fmt.Sprintf("where %s is: %s", name, instead(b.Country, a.Country)))
	d.words(DiffRecipients, path+".geography", a.Geography, b.Geography,
		fmt.Sprintf("where %s has the data: %s", name, instead(quotedOr(b.Geography), quotedOr(a.Geography))))
	d.members(DiffRecipients, path+".conditions", a.Conditions, b.Conditions,
		func(s string) string { return fmt.Sprintf("%s may receive data only on a new condition: %s", name, s) },
		func(s string) string { return fmt.Sprintf("no longer a condition for giving data to %s: %s", name, s) })
}

func (r *Register) purposeOrAny(id string) string {
	if id == allPurposes {
		return "any purpose"
	}
	return quoted(r.purposeName(id))
}

// reaching are the categories that may reach a recipient, as far as the lists
// of its purposes say; rules may narrow that down.
func (r *Register) reaching(e *RecipientEntry) (categories []string) {
	for i := range r.Purposes {
		if p := &r.Purposes[i]; e.Accepts(r.FullID(p.ID)) {
			categories = append(categories, r.coveredBy(p)...)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(categories)))
}
