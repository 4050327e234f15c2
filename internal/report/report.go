package report

import (
	"errors"
	"fmt"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
)

// errForPerson says that a report which speaks to the person is not made of an
// answer that holds what the person must not be told.
var errForPerson = errors.New("the report is for the person, and the answer is not")

// Report makes the report of an answer, whichever it is; made is when, for an
// answer that does not say itself.
func (n *Names) Report(language string, a any, made time.Time) (*Document, error) {
	if !Known(language) {
		return nil, fmt.Errorf("there are no reports in %q", language)
	}
	switch a := a.(type) {
	case *answer.RecipientsAnswer:
		if a.For == "" {
			return nil, errForPerson
		}
		return n.Recipients(language, a), nil
	case *answer.TimelineAnswer:
		if a.For == "" {
			return nil, errForPerson
		}
		return n.Timeline(language, a, made), nil
	case *answer.AccessAnswer:
		return n.Access(language, a), nil
	case *answer.UnusualAnswer:
		return n.Unusual(language, a), nil
	case *answer.RecipientAnswer:
		return n.Recipient(language, a), nil
	case *answer.ToldAnswer:
		return n.Told(language, a), nil
	case *answer.BreachAnswer:
		return n.Breach(language, a), nil
	case *answer.ActivitiesAnswer:
		return n.Activities(language, a, made), nil
	case *answer.LineageAnswer:
		return n.Lineage(language, a), nil
	case *answer.CaseAnswer:
		return n.Case(language, a), nil
	}
	return nil, fmt.Errorf("there is no report of this answer (%T)", a)
}
