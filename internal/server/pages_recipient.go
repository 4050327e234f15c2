package server

import (
	"context"
	"fmt"
	"net/http"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

func (s *server) recipientPage() asking[*answer.RecipientAnswer] {
	return asking[*answer.RecipientAnswer]{
		server: s, question: access.Recipient, path: "/recipient", title: "What did a recipient receive?", answered: "What a recipient received",
		fields: []string{"controller", "recipient", "entity", "from", "to", "receipts", "reason"}, linked: []string{"controller", "recipient"},
		draw: recipientForm,
		show: recipientView,
		read: func(r *http.Request, f *form) (about, func(context.Context, answer.Deps) (*answer.RecipientAnswer, error), error) {
			f.Values.Del("receipts")
			req := answer.RecipientRequest{Controller: f.Get("controller"), Recipient: f.Get("recipient"), Entity: f.Get("entity"), From: f.Get("from"), To: f.Get("to")}
			var err error
			if req.Receipts, err = uploaded(r, "receipts"); err != nil {
				return about{}, nil, err
			}
			return about{controller: req.Controller}, func(ctx context.Context, d answer.Deps) (*answer.RecipientAnswer, error) {
				return answer.RecipientOf(ctx, d, req)
			}, nil
		},
		concerns: func(a *answer.RecipientAnswer) told { return told{persons: uint64(a.Persons)} },
	}
}

// maxUploaded is how many receipts are taken, as by the API.
const maxUploaded = 200_000

// uploaded are the receipts of the file that came with a form, if one did.
func uploaded(r *http.Request, field string) ([]answer.Receipt, error) {
	if r.MultipartForm == nil || len(r.MultipartForm.File[field]) == 0 || r.MultipartForm.File[field][0].Size == 0 {
		return nil, nil
	}
	file, err := r.MultipartForm.File[field][0].Open()
	if err != nil {
		return nil, fmt.Errorf("open what was uploaded: %w", err)
	}
	defer file.Close()
	receipts, err := answer.ReadReceipts(file)
	if err == nil && len(receipts) > maxUploaded {
		return nil, &answer.Fault{Pointer: "/" + field, Problem: "there are more than 200000 receipts", Mend: "give those of a shorter period"}
	}
	return receipts, err
}

func declaredText(a *answer.RecipientAnswer) string {
	if !a.Declared {
		return "no"
	}
	text := "yes, as " + a.Kind
	if a.Country != "" {
		text += " in " + a.Country
	}
	return text + " "
}

func agreeText(r *answer.Reconciliation) string {
	if r.Differs() {
		return "The receipts and the trail do not agree."
	}
	return "The receipts and the trail agree."
}
