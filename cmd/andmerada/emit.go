package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/schemaregistry"
)

// emitOptions is the command line of emit.
type emitOptions struct {
	config      string
	brokers     []string
	topic       string
	format      string
	compression string

	operation, controller, purpose, recipient string
	source, scheme, identifier                string
	actor, reason, at, statements             string
	categories                                []string
}

func newEmitCommand() *cobra.Command {
	var o emitOptions
	cmd := &cobra.Command{
		Use:   "emit [FILE...]",
		Short: "Write events to Kafka",
		Long: `Emit writes events to Kafka as a source system would, and returns when the brokers have
acknowledged them. Events come from files of structured CloudEvents (one JSON object, one a
line, or an array; "-" is standard input), or are made from flags. An event that would go
into quarantine is refused; those before it in the file have been sent.

The identifier of a person is never given as a flag, which others could see in the list of
processes: --identifier names a file that holds it, "-" standard input.`,
		Example: `  andmerada emit events.ndjson
  printf EL-100017 | andmerada emit --operation transfer --controller elektrum \
      --purpose elektrum/debt-management-and-collection --recipient elektrum/elektrilevi \
      --category name,payment-default --source //billing.example --scheme customer-number --identifier -`,
		RunE: func(cmd *cobra.Command, files []string) error {
			return runEmit(cmd, &o, files)
		},
	}
	f := cmd.Flags()
	configFlag(cmd, &o.config)
	f.StringSliceVar(&o.brokers, "brokers", nil, "brokers, host:port (default: those of the configuration, which also says whether by TLS and a login)")
	f.StringVar(&o.topic, "topic", "", "topic (default: that of the configuration)")
	f.StringVar(&o.format, "format", "binary", "binary (attributes as headers), structured (the whole event as the value), or in Avro: avro (by the schema registry), avro-structured")
	f.StringVar(&o.compression, "compression", "", "gzip, snappy, lz4 or zstd")
	f.StringVar(&o.operation, "operation", "", "make one event: what was done (access, use, transfer…)")
	f.StringVar(&o.controller, "controller", "", "the controller, e.g. elektrum")
	f.StringVar(&o.purpose, "purpose", "", "the purpose, e.g. elektrum/billing")
	f.StringSliceVar(&o.categories, "category", nil, "categories of data")
	f.StringVar(&o.recipient, "recipient", "", "the recipient: id of the register, data-subject, or an organisation's name")
	f.StringVar(&o.source, "source", "", "the emitting system")
	f.StringVar(&o.scheme, "scheme", "", "scheme of the person's identifier, e.g. customer-number")
	f.StringVar(&o.identifier, "identifier", "", "file that holds the person's identifier; - is standard input")
	f.StringVar(&o.actor, "actor", "", "who did it, by a pseudonymous id")
	f.StringVar(&o.reason, "reason", "", "why, in words that say nothing about the person")
	f.StringVar(&o.at, "time", "", "when it happened, RFC 3339 (default: now)")
	f.StringVar(&o.statements, "statements", "", `what the source states of the act, JSON: {"necessity":true}`)
	return cmd
}

func runEmit(cmd *cobra.Command, o *emitOptions, files []string) error {
	if o.operation == "" && len(files) == 0 {
		return usageError{errors.New("emit: name a file of events, or make one with --operation")}
	}
	// Brokers and a topic that are given need no configuration; if there is
	// one, it says how to reach them.
	c, err := findConfig(o.config)
	switch {
	case errors.Is(err, errNoConfig) && len(o.brokers) > 0 && o.topic != "":
		c = new(config)
	case err != nil:
		return err
	}
	if len(o.brokers) == 0 {
		o.brokers = c.Kafka.Brokers
	}
	o.topic = cmp.Or(o.topic, c.Kafka.Topic)
	brokers, err := c.kafka()
	if err != nil {
		return err
	}
	defer brokers.CloseIdleConnections()
	to := emit.Config{Brokers: o.brokers, Topic: o.topic, Format: emit.Format(o.format), Compression: o.compression, Transport: brokers}
	if c.Registry != nil && to.Format == emit.Avro {
		registry, err := c.Registry.client(schemaregistry.Config{})
		if err != nil {
			return err
		}
		defer registry.Close()
		to.SchemaID = registry.RegisterOwn
	}
	w, err := emit.New(to)
	if err != nil {
		return err
	}
	sent, err := emitAll(cmd, w, o, files)
	err = errors.Join(err, w.Close())
	fmt.Fprintf(cmd.ErrOrStderr(), "%d events written to %s\n", sent, o.topic)
	return err
}

func emitAll(cmd *cobra.Command, w *emit.Writer, o *emitOptions, files []string) (sent int, err error) {
	if o.operation != "" {
		ev, err := o.event(cmd.InOrStdin())
		if err != nil {
			return 0, err
		}
		return 1, w.Emit(cmd.Context(), ev)
	}
	for _, file := range files {
		n, err := emitFile(cmd.Context(), cmd.InOrStdin(), w, file)
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// emitBatch is how many events of a file are sent at once.
const emitBatch = 5000

func emitFile(ctx context.Context, stdin io.Reader, w *emit.Writer, file string) (sent int, err error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return 0, fmt.Errorf("open the events: %w", err)
		}
		defer f.Close()
		in = bufio.NewReaderSize(f, 1<<20)
	}
	var batch []*event.Event
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := w.Emit(ctx, batch...); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		sent += len(batch)
		batch = batch[:0]
		return nil
	}
	for raw, err := range emit.ReadFile(in) {
		if err != nil {
			err = errors.Join(err, flush()) // what stands before the fault is sent
			return sent, fmt.Errorf("%s: %w", file, err)
		}
		ev, err := event.DecodeKafka(nil, raw.Value)
		if err != nil {
			err = errors.Join(err, flush())
			return sent, fmt.Errorf("%s:%d: %w; 'andmerada event lint' tells all that is wrong", file, raw.Line, err)
		}
		if batch = append(batch, ev); len(batch) == emitBatch {
			if err := flush(); err != nil {
				return sent, err
			}
		}
	}
	return sent, flush()
}

// event makes the event that the flags describe.
func (o *emitOptions) event(stdin io.Reader) (*event.Event, error) {
	op, err := event.ParseOperation(o.operation)
	if err != nil {
		return nil, usageError{fmt.Errorf("--operation: %w", err)}
	}
	identifier, err := readIdentifier(stdin, o.identifier)
	if err != nil {
		return nil, err
	}
	ev := &event.Event{
		Kind: event.Processing, Source: cmp.Or(o.source, "//andmerada.example/emit"), Type: event.TypePrefix + o.operation + event.TypeSuffix,
		Controller: o.controller, Operation: op, Purpose: o.purpose, Categories: o.categories, Reason: o.reason,
		Persons: []event.Person{{Scheme: o.scheme, Value: identifier}},
		Actor:   event.Actor{ID: cmp.Or(o.actor, "command-line"), Kind: event.ActorHuman},
	}
	switch {
	case o.recipient == "":
	case o.recipient == event.DataSubject || strings.Contains(o.recipient, "/"):
		ev.Recipient.ID = o.recipient
	default:
		ev.Recipient.Organisation = o.recipient
	}
	if o.at != "" {
		if ev.Time, err = time.Parse(time.RFC3339, o.at); err != nil {
			return nil, usageError{fmt.Errorf("--time %q is no RFC 3339 time, like 2024-06-10T09:59:59+03:00", o.at)}
		}
	}
	if o.statements != "" {
		if ev.Statements, err = event.DecodeFacts([]byte(o.statements)); err != nil {
			return nil, usageError{fmt.Errorf("--statements: %w", err)}
		}
	}
	return ev, nil
}

// readIdentifier reads a person's identifier from a file, or from standard
// input where that is named. It is never part of an error.
func readIdentifier(stdin io.Reader, file string) (string, error) {
	in := stdin
	switch file {
	case "":
		return "", usageError{errors.New("--identifier: name the file that holds the person's identifier; - is standard input")}
	case "-":
	default:
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("open the identifier: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, event.MaxIdentifier+2))
	if err != nil {
		return "", fmt.Errorf("read the identifier: %w", err)
	}
	identifier := strings.TrimRight(string(data), "\r\n")
	if identifier == "" || len(identifier) > event.MaxIdentifier {
		return "", fmt.Errorf("read the identifier: it must have 1 to %d bytes", event.MaxIdentifier)
	}
	return identifier, nil
}
