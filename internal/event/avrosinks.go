package event

import (
	"fmt"
	"maps"
)

// sinks says by the path of each part of our own schemas where its values go,
// and what is checked. The checks are those of the JSON data.
var sinks = func() map[string]sink {
	all := map[string]sink{
		"processing":            {end: func(r *reader) { r.checkData(r.ev, false) }},
		"processing.operation":  {word: operationWord},
		"processing.controller": nameSink(func(r *reader) *string { return &r.ev.Controller }, MaxName),
		"processing.person":     personsSink(func(ev *Event) *[]Person { return &ev.Persons }, MaxPersons, mendPersons),

		"processing.cohort":      {end: func(r *reader) { r.need(r.ev.Cohort.ID != "", "id", wantCohort) }},
		"processing.cohort.id":   nameSink(func(r *reader) *string { return &r.ev.Cohort.ID }, MaxID),
		"processing.cohort.size": countSink(func(r *reader, n uint64) { r.ev.Cohort.Size = n }, maxInteger),

		"processing.actor.id":           nameSink(func(r *reader) *string { return &r.ev.Actor.ID }, MaxID),
		"processing.actor.kind":         {word: actorWord},
		"processing.actor.role":         nameSink(func(r *reader) *string { return &r.ev.Actor.Role }, MaxName),
		"processing.actor.organisation": nameSink(func(r *reader) *string { return &r.ev.Actor.Organisation }, MaxID),
		"processing.actor.on_behalf_of": nameSink(func(r *reader) *string { return &r.ev.Actor.OnBehalfOf }, MaxID),

		"processing.purpose":      nameSink(func(r *reader) *string { return &r.ev.Purpose }, MaxName),
		"processing.categories":   namesSink(func(ev *Event) *[]string { return &ev.Categories }, MaxCategories),
		"processing.categories[]": nameItem(func(ev *Event) *[]string { return &ev.Categories }, "a category of the register"),
		"processing.fields":       namesSink(func(ev *Event) *[]string { return &ev.Fields }, MaxFields),
		"processing.fields[]":     nameItem(func(ev *Event) *[]string { return &ev.Fields }, "the name of a field"),
		"processing.records":      countSink(func(r *reader, n uint64) { r.ev.Records = n }, maxInteger),

		"processing.recipient":              {end: func(r *reader) { r.checkRecipient(&r.ev.Recipient) }},
		"processing.recipient.id":           nameSink(func(r *reader) *string { return &r.ev.Recipient.ID }, MaxName),
		"processing.recipient.organisation": nameSink(func(r *reader) *string { return &r.ev.Recipient.Organisation }, MaxID),
		"processing.recipient.code":         nameSink(func(r *reader) *string { return &r.ev.Recipient.Code }, MaxName),
		"processing.recipient.country": {text: func(r *reader, b []byte) {
			r.ev.Recipient.Country = r.countryOf(r.clip(b, MaxID))
		}},

		"processing.data_source":     nameSink(func(r *reader) *string { return &r.ev.DataSource }, MaxName),
		"processing.basis.kind":      nameSink(func(r *reader) *string { return &r.ev.Basis.Kind }, MaxName),
		"processing.basis.reference": textSink(func(r *reader) *string { return &r.ev.Basis.Reference }, MaxID),
		"processing.reason":          textSink(func(r *reader) *string { return &r.ev.Reason }, MaxReason),
		"processing.channel":         choiceSink(func(r *reader) *string { return &r.ev.Channel }, vocabulary[Channel].Values),
		"processing.statements": {open: func(r *reader) {
			r.at.facts, r.options = &r.ev.Statements, factsOptions{strict: true, timed: true}
		}},

		"fact":            {end: func(r *reader) { r.checkFactValue(); r.checkData(r.ev, r.hasValue) }},
		"fact.controller": nameSink(func(r *reader) *string { return &r.ev.Controller }, MaxName),
		"fact.person":     personsSink(func(ev *Event) *[]Person { return &ev.Persons }, MaxPersons, mendPersons),
		"fact.value": {open: func(r *reader) {
			r.at.facts, r.options, r.hasValue = &r.ev.Fact.Value, factsOptions{strict: true}, true
		}},
		"fact.valid_from":      {long: func(r *reader, n int64) { r.ev.Fact.ValidFrom = r.millis(n) }},
		"fact.about.actor":     nameSink(func(r *reader) *string { return &r.ev.Fact.AboutActor }, MaxID),
		"fact.about.recipient": nameSink(func(r *reader) *string { return &r.ev.Fact.AboutOrg }, MaxName),

		"cohort":              {end: func(r *reader) { r.checkData(r.ev, false) }},
		"cohort.controller":   nameSink(func(r *reader) *string { return &r.ev.Controller }, MaxName),
		"cohort.cohort":       {end: func(r *reader) { r.need(r.ev.Cohort.ID != "", "id", wantCohort) }},
		"cohort.cohort.id":    nameSink(func(r *reader) *string { return &r.ev.Cohort.ID }, MaxID),
		"cohort.cohort.size":  countSink(func(r *reader, n uint64) { r.ev.Cohort.Size = n }, maxInteger),
		"cohort.cohort.part":  countSink(func(r *reader, n uint64) { r.ev.Cohort.Part = uint32(n) }, 1<<31),
		"cohort.cohort.parts": countSink(func(r *reader, n uint64) { r.ev.Cohort.Parts = uint32(n) }, 1<<31),
		"cohort.members":      personsSink(func(ev *Event) *[]Person { return &ev.Cohort.Members }, MaxMembers, mendMembers),
	}
	for _, at := range []string{"processing.person[]", "fact.person[]", "cohort.members[]"} {
		all[at] = sink{end: func(r *reader) { r.checkPerson(r.at.person) }}
		all[at+".scheme"] = sink{text: func(r *reader, b []byte) {
			if b = r.clip(b, MaxName); b != nil {
				r.at.person.Scheme = r.schemeOf(b)
			}
		}}
		all[at+".value"] = textSink(func(r *reader) *string { return &r.at.person.Value }, MaxIdentifier)
	}
	maps.Copy(all, factSinks("processing.statements"))
	maps.Copy(all, factSinks("fact.value"))
	return all
}()

// nameSink takes a text that is the same in many events.
func nameSink(of func(*reader) *string, limit int) sink {
	return sink{text: func(r *reader, b []byte) {
		if b = r.clip(b, limit); b != nil {
			*of(r) = r.shared(b)
		}
	}}
}

// textSink takes a text that differs from event to event.
func textSink(of func(*reader) *string, limit int) sink {
	return sink{text: func(r *reader, b []byte) { *of(r) = r.string(r.clip(b, limit)) }}
}

func choiceSink(of func(*reader) *string, words []string) sink {
	return sink{text: func(r *reader, b []byte) { *of(r) = r.choiceOf(r.clip(b, MaxID), words) }}
}

func countSink(put func(r *reader, n uint64), limit int64) sink {
	return sink{long: func(r *reader, n int64) {
		if n < 0 || n > limit {
			r.fail(CodeBadValue, fmt.Sprintf("%d", n), fmt.Sprintf("a whole number from 0 to %d", limit), "")
			return
		}
		put(r, uint64(n))
	}}
}

// within stops at a list of more than limit items.
func (r *reader) within(n, limit int, mend string) bool {
	if n < limit {
		return true
	}
	r.fail(CodeTooMany, fmt.Sprintf("more than %d", limit), fmt.Sprintf("at most %d", limit), mend)
	return false
}

func namesSink(of func(*Event) *[]string, limit int) sink {
	return sink{
		next: func(r *reader, n int) bool { return r.within(n, limit, "") },
		end:  func(r *reader) { list := of(r.ev); *list = keep(&r.arena.names, *list) },
	}
}

func nameItem(of func(*Event) *[]string, want string) sink {
	return sink{text: func(r *reader, b []byte) {
		if b = r.clip(b, MaxName); b == nil {
			return
		}
		if len(b) == 0 {
			r.fail(CodeBadValue, "an empty string", want, "")
			return
		}
		list := of(r.ev)
		*list = push(&r.arena.names, *list, arenaNames, r.shared(b))
	}}
}

func personsSink(of func(*Event) *[]Person, limit int, mend string) sink {
	return sink{
		next: func(r *reader, n int) bool {
			if !r.within(n, limit, mend) {
				return false
			}
			list := of(r.ev)
			*list = push(&r.arena.persons, *list, arenaPersons, Person{})
			r.at.person = &(*list)[len(*list)-1]
			return true
		},
		end: func(r *reader) { list := of(r.ev); *list = keep(&r.arena.persons, *list) },
	}
}

// operationWord takes the operation, which the CloudEvents type says as well.
func operationWord(symbol string) func(*reader) {
	op, err := ParseOperation(symbol)
	if err != nil { // unspecified, or one that is not known here
		return nothing
	}
	return func(r *reader) {
		if op != r.ev.Operation {
			r.fail(CodeBadValue, op.String(), r.ev.Operation.String()+", as the event's type says", "write the same in both, or unspecified in the data")
		}
	}
}

func actorWord(symbol string) func(*reader) {
	kind := actorKind(symbol)
	return func(r *reader) { r.ev.Actor.Kind = kind }
}

// checkFactValue refuses a value that states anything but what the event's type
// names.
func (r *reader) checkFactValue() {
	value, name := &r.ev.Fact.Value, r.ev.Fact.Name
	if name == IdentityFact { // it has none
		*value = Facts{}
		return
	}
	for i := range topFacts {
		if top := &topFacts[i]; top.name != name && value.states(top) {
			r.failAt("/value/"+top.name, CodeUnknownFact, shown([]byte(top.name)), "the value of "+name+", as the event's type says", "send an event for each fact")
			return
		}
	}
}

// factSinks are those of a record of facts, by the vocabulary.
func factSinks(at string) map[string]sink {
	all := make(map[string]sink)
	at += "."
	for i := range topFacts {
		top := &topFacts[i]
		switch {
		case top.list != noList:
		case top.record:
			for i, field := range top.fields {
				all[at+top.name+"."+top.members[i]] = factSink(field)
			}
		default:
			all[at+top.name] = factSink(top.fields[0])
		}
	}
	all[at+"consent"] = entriesSink(func(r *reader, e *Consent) { r.at.consent = e }, func(f *Facts) *List[Consent] { return &f.Consents })
	all[at+"objection"] = entriesSink(func(r *reader, e *Objection) { r.at.objection = e }, func(f *Facts) *List[Objection] { return &f.Objections })
	all[at+"opt_out"] = entriesSink(func(r *reader, e *OptOut) { r.at.optOut = e }, func(f *Facts) *List[OptOut] { return &f.OptOuts })
	all[at+"request"] = entriesSink(func(r *reader, e *Request) { r.at.request = e }, func(f *Facts) *List[Request] { return &f.Requests })
	entry := func(name string, members map[string]sink) {
		for m, s := range members {
			all[at+name+"[]"+m] = s
		}
	}
	entry("consent", map[string]sink{
		"":                   {end: func(r *reader) { r.checkConsent(r.at.consent, r.options) }},
		".controller":        nameSink(func(r *reader) *string { return &r.at.consent.Controller }, MaxName),
		".purpose":           nameSink(func(r *reader) *string { return &r.at.consent.Purpose }, MaxName),
		".given_at":          {long: func(r *reader, n int64) { r.at.consent.GivenAt = r.millis(n) }},
		".given_by":          choiceSink(func(r *reader) *string { return &r.at.consent.GivenBy }, ClientRoles),
		".form":              choiceSink(func(r *reader) *string { return &r.at.consent.Form }, consentForms),
		".registered_in_crm": yesNoSink(func(r *reader) *Value { return &r.at.consent.RegisteredCRM }),
		".withdrawn_at":      {long: func(r *reader, n int64) { r.at.consent.WithdrawnAt = r.millis(n) }},
		".withdrawal_form":   choiceSink(func(r *reader) *string { return &r.at.consent.WithdrawalForm }, WithdrawalForms),
		".withdrawn_by":      choiceSink(func(r *reader) *string { return &r.at.consent.WithdrawnBy }, ClientRoles),
	})
	entry("objection", map[string]sink{
		"":            {end: func(r *reader) { r.checkObjection(r.at.objection, r.options) }},
		".controller": nameSink(func(r *reader) *string { return &r.at.objection.Controller }, MaxName),
		".purpose":    nameSink(func(r *reader) *string { return &r.at.objection.Purpose }, MaxName),
		".made_at":    {long: func(r *reader, n int64) { r.at.objection.MadeAt = r.millis(n) }},
		".outcome":    choiceSink(func(r *reader) *string { return &r.at.objection.Outcome }, outcomes),
	})
	entry("opt_out", map[string]sink{
		"":            {end: func(r *reader) { r.checkOptOut(r.at.optOut, r.options) }},
		".controller": nameSink(func(r *reader) *string { return &r.at.optOut.Controller }, MaxName),
		".scope":      choiceSink(func(r *reader) *string { return &r.at.optOut.Scope }, optOutScopes),
		".made_by":    nameSink(func(r *reader) *string { return &r.at.optOut.MadeBy }, MaxName),
		".made_at":    {long: func(r *reader, n int64) { r.at.optOut.MadeAt = r.millis(n) }},
	})
	entry("request", map[string]sink{
		"":            {end: func(r *reader) { r.checkRequest(r.at.request, r.options) }},
		".controller": nameSink(func(r *reader) *string { return &r.at.request.Controller }, MaxName),
		".type":       choiceSink(func(r *reader) *string { return &r.at.request.Type }, requestTypes),
		".made_at":    {long: func(r *reader, n int64) { r.at.request.MadeAt = r.millis(n) }},
		".handled":    yesNoSink(func(r *reader) *Value { return &r.at.request.Handled }),
	})
	return all
}

func entriesSink[T any](at func(*reader, *T), of func(*Facts) *List[T]) sink {
	return sink{
		open: func(r *reader) { of(r.at.facts).Known = true },
		next: func(r *reader, n int) bool {
			if !r.within(n, MaxEntries, "") {
				return false
			}
			list := of(r.at.facts)
			list.Entries = append(list.Entries, *new(T))
			at(r, &list.Entries[n])
			return true
		},
	}
}

func yesNoSink(of func(*reader) *Value) sink {
	return valueSink(&vocabulary[Necessity], func(r *reader, v Value) { *of(r) = v })
}

func factSink(field Field) sink {
	return valueSink(&vocabulary[field], func(r *reader, v Value) { r.at.facts.Set(field, v) })
}

// valueSink takes the value of a fact: of its type, or a word that says that it
// is not known, or that there is none.
func valueSink(info *FieldInfo, put func(r *reader, v Value)) sink {
	s := sink{word: func(symbol string) func(*reader) {
		v := Value{State: Unknown}
		if symbol == "none" && info.Nullable {
			v.State = Null
		}
		return func(r *reader) { put(r, v) }
	}}
	switch info.Type {
	case Bool:
		s.flag = func(r *reader, v bool) { put(r, BoolValue(v)) }
	case Day:
		s.long = func(r *reader, n int64) { put(r, r.days(n)) }
	case Text:
		s.text = func(r *reader, b []byte) {
			switch b = r.clip(b, MaxID); {
			case b == nil:
			case string(b) == unknownWord:
				put(r, Value{State: Unknown})
			default:
				put(r, r.textFact(b, info))
			}
		}
	}
	return s
}
