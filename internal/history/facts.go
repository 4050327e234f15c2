package history

import "github.com/andmerada/andmerada/internal/event"

// tells is the value of a fact, or what an event states.
type tells = func(f *event.Facts, m *moment)

func yes(fields ...event.Field) tells {
	return func(f *event.Facts, _ *moment) {
		for _, field := range fields {
			f.Set(field, event.BoolValue(true))
		}
	}
}

func no(fields ...event.Field) tells {
	return func(f *event.Facts, _ *moment) {
		for _, field := range fields {
			f.Set(field, event.BoolValue(false))
		}
	}
}

func unknown(fields ...event.Field) tells {
	return func(f *event.Facts, _ *moment) {
		for _, field := range fields {
			f.Set(field, event.Value{State: event.Unknown})
		}
	}
}

func text(field event.Field, s string) tells {
	return func(f *event.Facts, _ *moment) { f.Set(field, event.TextValue(s)) }
}

// daysAgo is the date that many days before the deed.
func daysAgo(field event.Field, days int) tells {
	return func(f *event.Facts, m *moment) { f.Set(field, event.DayValue(m.today-event.Date(days))) }
}

// yearsBefore is the date so many years, and days, before the story's last day.
func yearsBefore(field event.Field, years, days int) tells {
	return func(f *event.Facts, m *moment) {
		f.Set(field, event.DayValue(m.last.AddYears(-years)-event.Date(days)))
	}
}

// onFirst is the story's first day.
func onFirst(field event.Field) tells {
	return func(f *event.Facts, m *moment) { f.Set(field, event.DayValue(m.first)) }
}

func both(all ...tells) tells {
	return func(f *event.Facts, m *moment) {
		for _, t := range all {
			t(f, m)
		}
	}
}

// inTheCountry says of a processor what its recipient's country says.
func inTheCountry(f *event.Facts, m *moment) {
	f.Set(event.ProcessorContract, event.BoolValue(true))
	f.Set(event.ProcessorEstablishmentCountry, event.TextValue(m.to.Country))
	f.Set(event.ProcessorStorageCountry, event.TextValue(m.to.Country))
}

// consentTo is a consent given on the story's day, withdrawn on another; -1 =
// not withdrawn.
func consentTo(purpose string, given, withdrawn int, form string, registered bool) tells {
	return func(f *event.Facts, m *moment) {
		b := m.c.b
		c := event.Consent{Controller: b.id, Purpose: b.reg.FullID(purpose), GivenAt: m.morning(given), Form: form, RegisteredCRM: event.BoolValue(registered)}
		if withdrawn >= 0 {
			c.WithdrawnAt, c.WithdrawalForm = m.morning(withdrawn), "written"
		}
		f.Consents = event.List[event.Consent]{Known: true, Entries: append(f.Consents.Entries, c)}
	}
}

func objection(purpose, outcome string, day int) tells {
	return func(f *event.Facts, m *moment) {
		b := m.c.b
		f.Objections = event.List[event.Objection]{Known: true, Entries: []event.Objection{
			{Controller: b.id, Purpose: b.reg.FullID(purpose), MadeAt: m.morning(day), Outcome: outcome},
		}}
	}
}

func request(kind string, day int, handled bool) tells {
	return func(f *event.Facts, m *moment) {
		f.Requests = event.List[event.Request]{Known: true, Entries: []event.Request{
			{Controller: m.c.b.id, Type: kind, MadeAt: m.morning(day), Handled: event.BoolValue(handled)},
		}}
	}
}

// breach is a breach of the contract on the story's first day, which lasts.
func breach(kind string, verified bool) tells {
	return func(f *event.Facts, m *moment) {
		f.Set(event.BreachExists, event.BoolValue(true))
		f.Set(event.BreachKind, event.TextValue(kind))
		f.Set(event.BreachDate, event.DayValue(m.first))
		f.Set(event.BreachEndedOn, event.Value{State: event.Null})
		f.Set(event.BreachInfoVerified, event.BoolValue(verified))
	}
}
