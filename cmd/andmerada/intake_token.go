package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/intake"
)

func newIntakeTokenCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "Tokens by which source systems send events", Args: args(cobra.NoArgs)}
	cmd.AddCommand(newIntakeTokenNewCommand())
	return cmd
}

func newIntakeTokenNewCommand() *cobra.Command {
	var s intake.Source
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Make a token, and the entry to add to the file of tokens",
		Long: `New prints a token, once, and the entry for intake.tokens_file that stands for it. The file
has the token's SHA-256 only: whoever reads it cannot send by it. A server that runs takes the
entry up within a second.`,
		Example: "  andmerada intake token new --name netpro-billing --source /netpro/billing --controller netpro --expires 2027-01-31",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var token string
			token, s.Token = intake.NewToken()
			entry, err := intake.Entry(s)
			if err != nil {
				return usageError{err}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "# The token, for the system that sends. It is kept nowhere: this is the only time it can be read.\n%s\n\n# The entry, to be added below \"sources:\" in the file that intake.tokens_file names.\n%s", token, entry)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.Name, "name", "", "name of the entry, for logs and metrics")
	f.StringSliceVar(&s.Sources, "source", nil, "CloudEvents source that it may write for, and all below; may be given again")
	f.StringSliceVar(&s.Controllers, "controller", nil, `controller that it may write of, "*" for any; may be given again`)
	f.StringVar(&s.Expires, "expires", "", "first day, by UTC, on which it does not count any more, or an RFC 3339 time (default: never)")
	return cmd
}
