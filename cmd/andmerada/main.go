// Command andmerada is the data trail: it reads what source systems say they
// did with customers' data, holds each act against what the controller has
// promised, and answers who received a person's data.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes. 1 says that the command ran and found something wrong: a case
// that failed, an event with a fault, an offset that is missing.
const (
	exitFound = 1
	exitUsage = 2
	exitError = 3
)

// errFound ends a command whose findings have been printed already.
var errFound = errors.New("found something wrong")

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFound):
		return exitFound
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "andmerada: %v\nSee 'andmerada --help'.\n", err)
		return exitUsage
	default:
		fmt.Fprintf(os.Stderr, "andmerada: %v\n", err)
		return exitError
	}
}

// usageError is a command line that can't be read.
type usageError struct{ error }

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "andmerada",
		Short: "Who received a person's data, when, for what, on what ground, and was it what was promised",
		Long: `Andmerada ("data trail") reads the events by which systems say what they did with
customers' data, judges each against the controller's declared register, and keeps
a trail that answers, for any person at any time, who received their data.`,
		Example: `  andmerada demo                                  everything on this machine, with two years of history
  andmerada register test cases.yaml              run worked cases against the registers
  andmerada event lint order-placed.json          what is wrong with an event, before it is sent
  andmerada answer recipients --controller elektrum --scheme customer-number < id.txt`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newRegisterCommand(), newEventCommand(), newEmitCommand(), newVerifyCommand(), newMigrateCommand(), newIngestCommand(), newRejudgeCommand(), newFindingsCommand(), newQuarantineCommand(),
		newServeCommand(), newIntakeCommand(), newAccessCommand(), newAnswerCommand(), newAnswerFactsCommand(), newAnswerDriftCommand(), newBundleCommand(), newDemoCommand(), newOpenAPICommand())
	return root
}

// args makes cobra's complaints about arguments usage errors.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		if err := check(cmd, a); err != nil {
			return usageError{fmt.Errorf("%s: %w", cmd.CommandPath(), err)}
		}
		return nil
	}
}
