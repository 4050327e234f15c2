package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/identity"
)

func newAnswerCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "answer", Short: "Answer questions from the trail"}
	cmd.AddCommand(
		newAnswerRecipientsCommand(), newAnswerTimelineCommand(), newAnswerEventCommand(), newAnswerAccessCommand(), newAnswerUnusualCommand(), newAnswerBreachCommand(), newAnswerCaseCommand(),
		newAnswerRecipientCommand(), newAnswerLineageCommand(), newAnswerToldCommand(), newAnswerTellingsCommand(), newAnswerFactsCommand(), newAnswerDriftCommand(), newAnswerDutiesCommand(),
		newAnswerOverviewCommand(), newAnswerActivitiesCommand(),
	)
	return cmd
}

// answerDeps opens what answers are made from: the trail, to read.
func answerDeps(ctx context.Context, c *config) (d answer.Deps, closeDeps func() error, err error) {
	secret, err := identity.LoadSecret(c.SecretFile)
	if err != nil {
		return d, nil, err
	}
	if d.Keys, err = identity.New(secret); err != nil {
		return d, nil, err
	}
	if d.Registers, err = loadRegisters(c.Registers); err != nil {
		return d, nil, err
	}
	if d.Unusual, err = loadUnusual(c.Unusual); err != nil {
		return d, nil, err
	}
	if d.Profiles, err = loadProfiles(c.Profiles); err != nil {
		return d, nil, err
	}
	if d.Trail, err = openTrail(ctx, c, true); err != nil {
		return d, nil, err
	}
	d.Now, d.Asker, d.ForPerson = time.Now, operator(), c.Asking.Role == string(access.Agent)
	return d, d.Trail.Close, nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
