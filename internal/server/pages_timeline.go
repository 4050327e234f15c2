package server

import (
	"context"
	"net/http"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// timelinePage is what was done with a person's data, page by page.
func (s *server) timelinePage() asking[*answer.TimelineAnswer] {
	return asking[*answer.TimelineAnswer]{
		server: s, question: access.Timeline, path: "/timeline", title: "What was done with a person's data?", answered: "What was done with the data",
		fields: []string{"controller", "scheme", "from", "to", "as_of", "for", "reason"}, linked: []string{"controller"},
		draw: timelineForm, show: timelineView,
		read: func(r *http.Request, f *form) (about, func(context.Context, answer.Deps) (*answer.TimelineAnswer, error), error) {
			req := answer.TimelineRequest{Request: answer.Request{
				Controller: f.Get("controller"), Person: answer.Person{Scheme: f.Get("scheme"), Value: r.PostForm.Get("identifier")},
				From: f.Get("from"), To: f.Get("to"), AsOf: f.Get("as_of"), For: f.Get("for"),
			}, Cursor: r.PostForm.Get("cursor")}
			return ofPerson(&req.Request), func(ctx context.Context, d answer.Deps) (*answer.TimelineAnswer, error) {
				return answer.TimelineOf(ctx, d, req)
			}, nil
		},
	}
}

// forOptions are for whom an answer about a person can be.
var forOptions = []option{{"person", "For the person itself"}}

// asked is the form as it is carried on to older events.
func (f *form) asked() question {
	return question{Controller: f.Get("controller"), From: f.Get("from"), To: f.Get("to"), AsOf: f.Get("as_of"), For: f.Get("for"), Reason: f.Get("reason")}
}
