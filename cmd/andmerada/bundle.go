package main

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/bundle"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/ingest"
)

func newBundleCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "bundle", Short: "The evidence for an answer, in one file that anybody can check"}
	cmd.AddCommand(newBundleMakeCommand(), newBundleCheckCommand())
	return cmd
}

func newBundleMakeCommand() *cobra.Command {
	var file, reason, out, identifier, question, signKey, whom, asOf string
	var person answer.Person
	var acts answer.ActsRequest
	var by []string
	cmd := &cobra.Command{
		Use:   "make recipients|timeline|told|access|recipient|breach",
		Short: "Answer a question, and put the answer and all that it rests on into a file",
		Long: `Make answers one question and writes a zip file with the answer, the events that it was
counted from, the verdicts on them, the facts and the registers that these rest on, and what
can be said of the trail's completeness: what a supervisory authority needs to count and
judge again by itself. It is checked by "andmerada bundle check", which needs nothing else.

The question is asked by flags, or by --question with a file that holds the body of the API's
operation, which can say all that a question can. Persons stand by pseudonyms, employees by
masks. At most 20,000 events can stand behind an answer.`,
		Example: `  printf EL-100017 | andmerada bundle make recipients --controller elektrum --scheme customer-number --reason "AKI 2.1-5/26/113" --out answer.zip
  andmerada bundle make recipient --controller elektrum --recipient elektrum/creditinfo-eesti --from 2026-01-01 --to 2026-01-31 --out answer.zip
  andmerada bundle make --question breach.json --sign-key dpo.pem --out answer.zip`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if out == "" || (len(args) == 0) == (question == "") {
				return usageError{errors.New("bundle make: say which question, or name its file by --question, and where to write by --out")}
			}
			var q answer.Question
			if question != "" {
				err = readRequest(cmd.InOrStdin(), question, &q)
			} else {
				q, err = questionOf(args[0], person, whom, asOf, acts, by)
			}
			if err != nil {
				return err
			}
			c, err := findConfig(file)
			if err != nil {
				return err
			}
			if q.NamesActors() {
				if err := checkNamed(c, reason, q.Breach != nil); err != nil {
					return err
				}
			}
			var key ed25519.PrivateKey
			if signKey != "" {
				if key, err = privateKey(signKey); err != nil {
					return err
				}
			}
			if err := identify(&q, cmd.InOrStdin(), identifier); err != nil {
				return err
			}
			deps, closeDeps, err := answerDeps(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closeDeps()) }()
			store := facts.New()
			if err := ingest.LearnFacts(store, deps.Trail.Facts(cmd.Context(), c.Kafka.Topic)); err != nil {
				return err
			}
			deps.Facts = store.AsSeen
			var restricted string
			deps.Restricted = func(record string) { restricted = record }
			data, err := bundle.Make(cmd.Context(), deps, q, bundle.Asking{Role: cmp.Or(c.Asking.Role, string(access.DPO)), Reason: reason, Version: version(), Key: key})
			if err == nil {
				controller, who := q.About()
				err = asked(cmd.Context(), c, &deps, access.Bundle, controller, who, reason, restricted, q.NamesActors())
			}
			if fault := new(answer.Fault); errors.As(err, &fault) {
				return usageError{fmt.Errorf("bundle make: %w", err)}
			}
			if err != nil {
				return err
			}
			if err := os.WriteFile(out, data, 0o600); err != nil {
				return fmt.Errorf("write the bundle: %w", err)
			}
			return printCheck(cmd.OutOrStdout(), out, bundle.Check(data, nil))
		},
	}
	f := cmd.Flags()
	configFlag(cmd, &file)
	reasonFlag(cmd, &reason)
	actsFlags(f, &acts)
	f.StringSliceVar(&by, "by", nil, "of access: what to count by")
	f.StringVar(&person.Scheme, "scheme", "", "scheme of the person's identifier: customer-number, personal-code, email, metering-point…")
	f.StringVar(&identifier, "identifier", "-", "file that holds the identifier; - is standard input")
	forFlag(f, &whom)
	f.StringVar(&asOf, "as-of", "", "of recipients and timeline: as the trail stood at the end of this day, or at this RFC 3339 time (default: now)")
	f.StringVar(&question, "question", "", "file that holds the question as JSON, as POST /v1/bundles takes it; a person without the identifier's value")
	f.StringVar(&signKey, "sign-key", "", "file that holds an Ed25519 private key (PEM, PKCS #8) to sign the manifest with")
	f.StringVar(&out, "out", "", "file to write to")
	return cmd
}

// questionOf makes a question of flags.
func questionOf(kind string, person answer.Person, whom, asOf string, acts answer.ActsRequest, by []string) (q answer.Question, err error) {
	who := answer.Request{Controller: acts.Controller, Person: person, From: acts.From, To: acts.To, AsOf: asOf, For: whom}
	first := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return list[0]
	}
	switch kind {
	case "recipients":
		q.Recipients = &answer.RecipientsRequest{Request: who, Recipient: first(acts.Recipients), Entity: first(acts.Entities)}
	case "timeline":
		q.Timeline = &answer.TimelineRequest{Request: who, Limit: 500}
	case "told":
		q.Told = &answer.ToldRequest{Controller: acts.Controller, Person: person, Operation: first(acts.Operations), Since: acts.From, For: whom}
	case "access":
		q.Access = &answer.AccessRequest{ActsRequest: acts, By: by}
	case "recipient":
		q.Recipient = &answer.RecipientRequest{Controller: acts.Controller, Recipient: first(acts.Recipients), Entity: first(acts.Entities), From: acts.From, To: acts.To}
	case "breach":
		q.Breach = &answer.BreachRequest{Windows: []answer.Window{{ActsRequest: acts}}}
	default:
		return q, usageError{errors.New("bundle make: there is no such question: write recipients, timeline, told, access, recipient or breach")}
	}
	return q, nil
}

// identify reads the identifier of the person that a question is about.
func identify(q *answer.Question, stdin io.Reader, file string) (err error) {
	var person *answer.Person
	switch {
	case q.Recipients != nil:
		person = &q.Recipients.Person
	case q.Timeline != nil:
		person = &q.Timeline.Person
	case q.Told != nil:
		person = &q.Told.Person
	default:
		return nil
	}
	if person.Scheme == "" {
		return usageError{errors.New("bundle make: --scheme must be given, and the identifier on standard input")}
	}
	person.Value, err = readIdentifier(stdin, file)
	return err
}

func newBundleCheckCommand() *cobra.Command {
	var publicKey string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a bundle, by itself",
		Long: `Check says whether a bundle is as it was made: every byte of it; no file more or less. It
counts the answer again from the events, loads the registers, whose version is a hash of their
files, and judges the events again by them and the facts. It needs no network, no trail and
no configuration. What it cannot do again it says.

It exits with 1 if anything is wrong.`,
		Example: "  andmerada bundle check answer.zip\n  andmerada bundle check answer.zip --public-key dpo-public.pem --json",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var key ed25519.PublicKey
			if publicKey != "" {
				var err error
				if key, err = readPublicKey(publicKey); err != nil {
					return err
				}
			}
			data, err := readBundle(args[0])
			if err != nil {
				return err
			}
			r := bundle.Check(data, key)
			if !asJSON {
				return printCheck(cmd.OutOrStdout(), args[0], r)
			}
			if err := writeJSON(cmd.OutOrStdout(), r); err != nil {
				return err
			}
			if !r.OK {
				return errFound
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&publicKey, "public-key", "", "file that holds the Ed25519 public key (PEM) that the manifest must be signed by")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// readBundle reads a file, but no more of it than a bundle can have.
func readBundle(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open the bundle: %w", err)
	}
	defer f.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(f, bundle.MaxSize+1)); err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	return b.Bytes(), nil
}

func printCheck(out io.Writer, name string, r *bundle.Result) error {
	for _, p := range r.Problems {
		fmt.Fprintf(out, "%s\n", p)
	}
	if m := r.Manifest; m != nil && r.OK {
		fmt.Fprintf(out, "%s: %s, %s, asked as %s at %s\n", name, m.Kind, m.Controller.Name, m.Role, m.AskedAt.Format("2006-01-02 15:04:05Z07:00"))
		fmt.Fprintf(out, "%s, %s, %s, %s; every byte is as it was made\n", plural(m.Events, "event"), plural(m.Verdicts, "verdict"), plural(m.Facts, "fact"), plural(len(m.Registers), "register"))
		if r.Signed {
			fmt.Fprintln(out, "The manifest is signed by this key.")
		}
		fmt.Fprintf(out, "Counted again from the events, and the same: %s\n", strings.Join(r.Recounted, "; "))
		fmt.Fprintf(out, "Judged again by the registers and facts in it, and the same: %s\n", plural(r.Judged, "verdict"))
	}
	for _, n := range r.Notes {
		fmt.Fprintln(out, n)
	}
	if !r.OK {
		fmt.Fprintf(out, "%s is NOT as it was made, or does not prove its answer.\n", name)
		return errFound
	}
	_, err := fmt.Fprintln(out, "OK")
	return err
}

func privateKey(name string) (ed25519.PrivateKey, error) {
	der, err := readPEM(name)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	private, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("read the key in %s: it is no Ed25519 private key (PKCS #8): make one with openssl genpkey -algorithm ed25519", name)
	}
	return private, nil
}

func readPublicKey(name string) (ed25519.PublicKey, error) {
	der, err := readPEM(name)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	public, ok := key.(ed25519.PublicKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("read the key in %s: it is no Ed25519 public key: take it out of the private one with openssl pkey -pubout", name)
	}
	return public, nil
}

func readPEM(name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("read the key in %s: it is no PEM file", name)
	}
	return block.Bytes, nil
}
