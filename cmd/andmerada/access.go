package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/identity"
)

func newAccessCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "access", Short: "Who may ask over HTTP"}
	token := &cobra.Command{Use: "token", Short: "Local tokens, for machines"}
	token.AddCommand(newTokenNewCommand(), newTokenListCommand())
	cmd.AddCommand(token)
	return cmd
}

// tokensOf is the file of tokens: the one given, or that of the configuration.
func tokensOf(file, tokens string) (string, *config, error) {
	c, err := findConfig(file)
	switch {
	case tokens != "" && errors.Is(err, errNoConfig):
		return tokens, nil, nil
	case err != nil:
		return "", nil, err
	case tokens != "":
		return tokens, c, nil
	case c.Access == nil || c.Access.Tokens == "":
		return "", nil, usageError{fmt.Errorf("the configuration %s names no file of tokens: write access: {tokens: tokens.yaml} there, or give --tokens", c.file)}
	}
	return c.Access.Tokens, c, nil
}

func newTokenNewCommand() *cobra.Command {
	var file, tokens, scheme, identifier string
	var roles, controllers []string
	var days int
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Make a token, and add its hash to the file of tokens",
		Long: `New draws a token of 256 random bits and prints it, once: the file keeps its hash only. A
server takes it within a second or so. NAME is how the trail names whoever asks with it.

A token of the role agent is for one person of one controller, whose identifier is read from a
file or standard input; the file of tokens holds the person's pseudonym.`,
		Example: `  andmerada access token new nightly-audit --role auditor --controller elektrum --days 90
  printf EL-100017 | andmerada access token new lawyer-17 --role agent --controller elektrum --scheme customer-number`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			name, c, err := tokensOf(file, tokens)
			if err != nil {
				return err
			}
			if days < 1 {
				return usageError{errors.New("--days: a token holds for at least a day")}
			}
			secret := access.NewToken()
			t := access.Token{Name: a[0], SHA256: access.HashToken(secret), Controllers: controllers, Expires: time.Now().UTC().AddDate(0, 0, days).Truncate(time.Second)}
			for _, r := range roles {
				t.Roles = append(t.Roles, access.Role(r))
			}
			if slices.Contains(t.Roles, access.Agent) {
				if c == nil || scheme == "" || len(controllers) != 1 {
					return usageError{errors.New("an agent's token needs --controller, exactly one, --scheme, and a configuration that names the secret")}
				}
				value, err := readIdentifier(cmd.InOrStdin(), identifier)
				if err != nil {
					return err
				}
				key, err := identity.LoadSecret(c.SecretFile)
				if err != nil {
					return err
				}
				keys, err := identity.New(key)
				if err != nil {
					return err
				}
				who, err := keys.Pseudonym(controllers[0], scheme, value)
				if err != nil {
					return err
				}
				t.Persons = []string{who.String()}
			}
			if err := addToken(name, t); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Added to %s; it holds until %s. This is shown once:\n", name, t.Expires.Format(time.RFC3339))
			fmt.Fprintln(cmd.OutOrStdout(), secret)
			return nil
		},
	}
	f := cmd.Flags()
	configFlag(cmd, &file)
	f.StringVar(&tokens, "tokens", "", "file of tokens (default: that of the configuration)")
	f.StringSliceVar(&roles, "role", nil, "dpo, responder, auditor, agent or source")
	f.StringSliceVar(&controllers, "controller", nil, "controllers about whom may be asked; * for all")
	f.IntVar(&days, "days", 90, "for how many days it holds")
	f.StringVar(&scheme, "scheme", "", "of an agent: scheme of the person's identifier")
	f.StringVar(&identifier, "identifier", "-", "of an agent: file that holds the person's identifier; - is standard input")
	return cmd
}

// addToken adds an entry to the end of the file, and leaves what is there,
// comments too, as it is.
func addToken(file string, t access.Token) error {
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the tokens: %w", err)
	}
	text := string(data)
	if strings.TrimSpace(text) == "" {
		text = "# Hashes of local tokens; docs/access.md says what they may ask.\ntokens:\n"
	} else if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	quoted := func(list []string) string {
		q := make([]string, len(list))
		for i, s := range list {
			q[i] = fmt.Sprintf("%q", s)
		}
		return "[" + strings.Join(q, ", ") + "]"
	}
	var roles []string
	for _, r := range t.Roles {
		roles = append(roles, string(r))
	}
	text += fmt.Sprintf("  - name: %q\n    sha256: %s\n    roles: %s\n    controllers: %s\n    expires: %s\n", t.Name, t.SHA256, quoted(roles), quoted(t.Controllers), t.Expires.Format(time.RFC3339))
	if t.Persons != nil {
		text += "    persons: " + quoted(t.Persons) + "\n"
	}
	if _, err := access.ParseTokens([]byte(text)); err != nil {
		return usageError{fmt.Errorf("this token would not be taken: %w", err)}
	}
	return replaceFile(file, []byte(text))
}

func newTokenListCommand() *cobra.Command {
	var file, tokens string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the local tokens: names, roles, controllers, and until when they hold",
		Long:    "List shows what the file of tokens holds. To take a token back, remove its entry from the file; a server knows within a second or so.",
		Example: "  andmerada access token list --tokens tokens.yaml",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			name, _, err := tokensOf(file, tokens)
			if err != nil {
				return err
			}
			data, err := os.ReadFile(name)
			if err != nil {
				return fmt.Errorf("read the tokens: %w", err)
			}
			all, err := access.ParseTokens(data)
			if err != nil {
				return fmt.Errorf("read the tokens of %s: %w", name, err)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tROLES\tCONTROLLERS\tUNTIL")
			for i := range all {
				t := &all[i]
				until := t.Expires.UTC().Format("2006-01-02 15:04Z")
				if time.Now().After(t.Expires) {
					until += " (over)"
				}
				roles := make([]string, len(t.Roles))
				for j, r := range t.Roles {
					roles[j] = string(r)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.Name, strings.Join(roles, ","), strings.Join(t.Controllers, ","), until)
			}
			return w.Flush()
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&tokens, "tokens", "", "file of tokens (default: that of the configuration)")
	return cmd
}
