package register

import "fmt"

func (d *differ) rights() {
	each(d.a.Rights, d.b.Rights, func(r *Right) string { return r.ID }, func(a, b *Right) {
		path, name := "rights["+b.ID+"]", quoted(b.Name.In("en"))
		d.words(DiffRights, path+".name", a.Name.In("en"), b.Name.In("en"), fmt.Sprintf("the right %s is now called %s", quoted(a.Name.In("en")), name))
		d.words(DiffRights, path+".condition", a.Condition, b.Condition,
			fmt.Sprintf("the condition of the right %s: %s", name, instead(quotedOr(b.Condition), quotedOr(a.Condition))))
	}, func(r *Right) {
		d.add(DiffRights, "rights["+r.ID+"]", fmt.Sprintf("a right gained: %s%s", quoted(r.Name.In("en")), ifAny(oneLine(r.Condition), ", on the condition: ")))
	}, func(r *Right) {
		d.remove(DiffRights, "rights["+r.ID+"]", fmt.Sprintf("a right no longer named: %s", quoted(r.Name.In("en"))))
	})
}

func (d *differ) notice() {
	a, b := d.a, d.b
	from := func(r *Register) string {
		if r.InForce.From == "" {
			return "undated"
		}
		return r.InForce.From
	}
	d.change(DiffNotice, "in_force.from", a.InForce.From, b.InForce.From, fmt.Sprintf("in force from: %s instead of %s", from(b), from(a)))
	for _, f := range []struct{ key, says, a, b string }{
		{"controller.id", "the controller's short name", a.Controller.ID, b.Controller.ID},
		{"controller.name", "the controller", a.Controller.Name, b.Controller.Name},
		{"controller.country", "the controller's country", a.Controller.Country, b.Controller.Country},
		{"controller.zone", "the controller's calendar runs in", a.Controller.Zone, b.Controller.Zone},
		{"controller.contact", "whom to turn to", a.Controller.Contact, b.Controller.Contact},
		{"controller.supervisory_authority", "the supervisory authority", a.Controller.Authority, b.Controller.Authority},
		{"notice.title", "the notice's title", a.Notice.Title, b.Notice.Title},
		{"notice.language", "the notice's language", a.Notice.Language, b.Notice.Language},
	} {
		d.words(DiffNotice, f.key, f.a, f.b, fmt.Sprintf("%s: %s", f.says, instead(oneLine(f.b), oneLine(f.a))))
	}
	d.change(DiffNotice, "notice.sha256", a.Notice.SHA256, b.Notice.SHA256, "the notice's text is another one")
	d.members(DiffNotice, "controller.processors", a.Controller.Processors, b.Controller.Processors,
		func(s string) string { return fmt.Sprintf("%s now acts for the controller", s) },
		func(s string) string { return fmt.Sprintf("%s no longer acts for the controller", s) })
	counted := "periods are now counted by the calendar: they start with their first day"
	if b.PeriodConvention == "tsys" {
		counted = "periods are now counted as Estonian civil law does: they start the day after, and their last day belongs to them"
	}
	d.change(DiffNotice, "period_convention", a.PeriodConvention, b.PeriodConvention, counted)
	each(a.Definitions, b.Definitions, func(x *Definition) string { return x.Term }, func(a, b *Definition) {
		d.words(DiffNotice, "definitions["+b.Term+"].meaning", a.Meaning, b.Meaning, fmt.Sprintf("%s now means: %s", quoted(b.Term), oneLine(b.Meaning)))
	}, func(x *Definition) {
		d.add(DiffNotice, "definitions["+x.Term+"]", fmt.Sprintf("%s is now defined: %s", quoted(x.Term), oneLine(x.Meaning)))
	}, func(x *Definition) {
		d.remove(DiffNotice, "definitions["+x.Term+"]", fmt.Sprintf("%s is no longer defined", quoted(x.Term)))
	})
	each(a.Ambiguities, b.Ambiguities, func(x *Ambiguity) string { return x.ID }, func(a, b *Ambiguity) {
		d.words(DiffNotice, "ambiguities["+b.ID+"].reading", a.Reading, b.Reading, fmt.Sprintf("the unclear place %s is now read so: %s", b.ID, oneLine(b.Reading)))
	}, func(x *Ambiguity) {
		d.add(DiffNotice, "ambiguities["+x.ID+"]", fmt.Sprintf("a new unclear place, %s: %s It is read so: %s", x.ID, oneLine(x.Issue), oneLine(x.Reading)))
	}, func(x *Ambiguity) {
		d.remove(DiffNotice, "ambiguities["+x.ID+"]", fmt.Sprintf("no longer unclear, %s: %s", x.ID, oneLine(x.Issue)))
	})
}
