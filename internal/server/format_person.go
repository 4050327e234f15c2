package server

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
)

func askedText(a *answer.AskedRecipient, p answer.Period) string {
	switch a.Received {
	case answer.ReceivedUntold:
		return "Whether data of this person were disclosed to " + a.Name + " is not said: the person must not be told of some authorities, and this is one, or may be one. It is said so whether or not it received data."
	case answer.ReceivedYes:
		return a.Name + " received data of this person " + periodText(p) + "."
	}
	return "As far as the trail goes, data of this person were never disclosed to " + a.Name + " " + periodText(p) + "."
}

func safeguardsText(t *answer.ThirdCountry) string {
	var parts []string
	if len(t.Stated) > 0 {
		parts = append(parts, "The events state as safeguard: "+countedNames(t.Stated)+".")
	} else {
		parts = append(parts, "The events state no safeguard.")
	}
	switch {
	case len(t.Conditions) > 0:
		parts = append(parts, "The notice says: "+strings.Join(t.Conditions, "; ")+".")
	case t.Geography != "":
		parts = append(parts, "The notice says: "+t.Geography+".")
	default:
		parts = append(parts, "The notice says nothing of safeguards.")
	}
	return strings.Join(parts, " ")
}

func sourceText(s answer.SourceUse, zone *time.Location) string {
	var parts []string
	switch {
	case s.Count == 0:
		parts = append(parts, "declared; no event of the period says so")
	case s.First.Equal(s.Last):
		parts = append(parts, "on "+dayOf(s.First, zone))
	default:
		parts = append(parts, plural(s.Count, "time", "times")+" from "+dayOf(s.First, zone)+" to "+dayOf(s.Last, zone))
	}
	if len(s.Categories) > 0 {
		parts = append(parts, countedNames(s.Categories))
	}
	if !s.Declared && s.ID != "" {
		parts = append(parts, "the register does not declare it")
	}
	if len(s.Clauses) > 0 {
		parts = append(parts, strings.Join(s.Clauses, ", "))
	}
	return strings.Join(parts, "; ")
}

func cohortText(c answer.CohortUse, zone *time.Location) string {
	text := plural(c.Count, "time", "times") + " from " + dayOf(c.First, zone) + " to " + dayOf(c.Last, zone) + ": " + countedNames(c.Operations)
	if c.Size > 0 {
		text += "; " + plural(c.Size, "member", "members")
	}
	if len(c.Recipients) > 0 {
		text += "; to " + strings.Join(c.Recipients, ", ")
	}
	return text
}

func retentionText(r answer.RetentionUse) string {
	text := cmp.Or(r.Length, "no period is stated")
	if r.From != "" {
		text += ", from: " + r.From
	}
	text += "; for " + names(r.Purposes)
	if len(r.Categories) > 0 {
		text += "; " + names(r.Categories)
	}
	return text
}

// clockOf is a time of a system's clock, to the day of the zone where no more may
// be told.
func clockOf(precision string, t time.Time, zone *time.Location) string {
	if precision != "" {
		return dayOf(t, zone)
	}
	return at(t, time.UTC) + " UTC"
}

func gapText(g answer.LostRange, precision string, zone *time.Location) string {
	return fmt.Sprintf("offsets %d to %d of %s, partition %d: %s, noticed %s", g.First, g.Last, g.Topic, g.Partition, g.Reason, clockOf(precision, g.Noticed, zone))
}

func unreadText(u answer.Unread) string {
	text := fmt.Sprintf("%s of %s, partition %d, offsets %d to %d: %s", number(u.Count), u.Topic, u.Partition, u.First, u.Last, u.Reason)
	if u.Replayed > 0 {
		text += "; of these sent again: " + number(u.Replayed)
	}
	return text
}

func silentText(s *answer.Systems) string {
	if s.Silent == 0 {
		return "No system that had told of something before was silent in the period. When each did last:"
	}
	return plural(uint64(s.Silent), "system that had told of something before was", "systems that had told of something before were") + " silent in the period. When each did last:"
}

func systemText(s answer.System, precision string, zone *time.Location) string {
	text := s.Source + ": " + clockOf(precision, s.Last, zone)
	if s.Silent {
		text += ", silent in the period"
	}
	return text
}
