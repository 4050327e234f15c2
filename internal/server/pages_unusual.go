package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

func (s *server) unusualPage() asking[*answer.UnusualAnswer] {
	return asking[*answer.UnusualAnswer]{
		server: s, question: access.Unusual, path: "/unusual", title: "Which accesses were unusual?", answered: "Unusual access",
		fields: []string{"controller", "from", "to", "rules", "reason"}, linked: []string{"controller", "from", "to", "rules"},
		draw: unusualForm, show: unusualView,
		read: func(_ *http.Request, f *form) (about, func(context.Context, answer.Deps) (*answer.UnusualAnswer, error), error) {
			req := answer.UnusualRequest{Controller: f.Get("controller"), From: f.Get("from"), To: f.Get("to")}
			for id := range strings.FieldsFuncSeq(f.Get("rules"), func(r rune) bool { return r == ',' || r == ' ' }) {
				req.Rules = append(req.Rules, id)
			}
			return about{controller: req.Controller}, func(ctx context.Context, d answer.Deps) (*answer.UnusualAnswer, error) {
				return answer.Unusual(ctx, d, req)
			}, nil
		},
	}
}

// severityMarks are the severities, with the colour that goes with each.
var severityMarks = []struct{ severity, tile string }{{"high", "t-violation"}, {"medium", "t-review"}, {"low", ""}}

// severityMark is a severity with a sign of its own, and the colour that goes with it.
func severityMark(severity string) (class, text string) {
	switch severity {
	case "high":
		return "v-violation", "✕ high"
	case "medium":
		return "v-review", "? medium"
	default:
		return "v-none", "– low"
	}
}

// severityCount counts the hits of rules of a severity.
func severityCount(a *answer.UnusualAnswer, severity string) (n uint64) {
	for i := range a.Rules {
		if string(a.Rules[i].Severity) == severity {
			n += uint64(a.Rules[i].Hits)
		}
	}
	return n
}
