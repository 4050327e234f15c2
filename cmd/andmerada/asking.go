package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// reasonFlag adds --reason to a command that asks.
func reasonFlag(cmd *cobra.Command, reason *string) {
	cmd.Flags().StringVar(reason, "reason", "", "why you ask, in words that say nothing of the person; kept with the question")
}

// forFlag adds --for to a command that asks about a person.
func forFlag(f *pflag.FlagSet, to *string) {
	f.StringVar(to, "for", "", "person: the answer as the person itself may have it, without what the law leaves out (docs/profiles.md)")
}

// operator is who asks at the command line: the user of the operating system.
func operator() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

// asked writes a question of the command line into the trail, and where actors
// are named by id a reveal; without that it
// must not be answered. Who may ask here is whoever may read the secret and the
// password of the trail; the actor is the user of the operating system. reference
// is what else is kept with it: what an answer for the person has left out.
func asked(ctx context.Context, c *config, deps *answer.Deps, q access.Question, controller string, person answer.Person, reason, reference string, named bool) error {
	if err := access.CheckReason(reason, person.Value); err != nil {
		return usageError{fmt.Errorf("--reason: %w", err)}
	}
	if c.Asking.ReasonNeeded && reason == "" && person.Scheme != "" {
		return usageError{errors.New("--reason must be given: say why you look this person up")}
	}
	a := access.Asked{Question: q, Controllers: []string{controller}, Reason: reason, Reference: reference}
	if controller == "" {
		a.Controllers = deps.Registers.Controllers()
	}
	if person.Value != "" {
		var err error
		if a.Person, err = deps.Keys.Pseudonym(controller, person.Scheme, person.Value); err != nil {
			return nil // no answer can be given either, and the answer says why
		}
		a.Persons = 1
	}
	if err := c.record(ctx, &a); err != nil || !named {
		return err
	}
	a.Question = access.Reveal // so that it is found among those
	return c.record(ctx, &a)
}

// record writes a question of the user of the operating system.
func (c *config) record(ctx context.Context, a *access.Asked) (err error) {
	a.As = access.DPO
	if c.Asking.Role != "" {
		a.As = access.Role(c.Asking.Role)
	}
	a.Who = &access.Principal{ID: operator(), Grants: []access.Grant{{Role: a.As, Controllers: []string{access.Everyone}}}}
	r, closeRecorder, err := c.recorder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeRecorder()) }()
	return r.Record(ctx, a)
}

// checkNamed holds a question that names actors by id to what a reveal needs.
func checkNamed(c *config, reason string, urgent bool) error {
	switch {
	case c.Asking.RevealApproval && !urgent:
		return usageError{errors.New("--actor: an id is told only once another person has approved it (asking.reveal_approval): name the mask that answers show")}
	case reason == "":
		return usageError{errors.New("--reason must be given where --actor is an id, since the answer tells whose a mask is; or name the mask that answers show")}
	}
	return nil
}
