package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/quarantine"
	"github.com/andmerada/andmerada/internal/trail"
)

func newQuarantineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "What could not be understood: look at it, and replay it once it is mended",
		Args:  args(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newQuarantineListCommand(), newQuarantineShowCommand(), newQuarantineReplayCommand())
	return cmd
}

// quarantineFlags are the flags that select records.
type quarantineFlags struct {
	config, reason, source, since, until string
	json                                 bool
}

func (o *quarantineFlags) add(cmd *cobra.Command) {
	configFlag(cmd, &o.config)
	cmd.Flags().StringVar(&o.reason, "reason", "", "only this reason, e.g. unknown-controller")
	cmd.Flags().StringVar(&o.source, "source", "", "only records of this source system")
	cmd.Flags().StringVar(&o.since, "since", "", "only what was stored since: "+sinceForms)
	cmd.Flags().StringVar(&o.until, "until", "", "only what was stored before that, in the same forms")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
}

func (o *quarantineFlags) filter() (trail.QuarantineFilter, error) {
	f := trail.QuarantineFilter{Reason: o.reason, Source: o.source}
	var err error
	if f.Since, err = parseSince(o.since); err != nil {
		return f, err
	}
	if f.Until, err = parseSince(o.until); err != nil {
		return f, err
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return f, usageError{errors.New("--until must be later than --since")}
	}
	return f, nil
}

// quarantineReason is a line of the list.
type quarantineReason struct {
	Reason   string    `json:"reason"`
	Count    uint64    `json:"count"`
	Replayed uint64    `json:"replayed"`
	LastHour uint64    `json:"lastHour"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Sources  []string  `json:"sources"`
	More     uint64    `json:"moreSources,omitempty"`
	Example  string    `json:"example"`
}

func newQuarantineListCommand() *cobra.Command {
	var o quarantineFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Why records are in the quarantine, how many, since when and from whom",
		Example: `  andmerada quarantine list
  andmerada quarantine list --since 24h --json | jq '.[] | select(.count > 100)'`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			f, err := o.filter()
			if err != nil {
				return err
			}
			c, err := findConfig(o.config)
			if err != nil {
				return err
			}
			db, err := openTrail(cmd.Context(), c, true)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			reasons, err := db.QuarantineReasons(cmd.Context(), f)
			if err != nil {
				return err
			}
			list := make([]quarantineReason, len(reasons))
			for i, r := range reasons {
				list[i] = quarantineReason{r.Reason, r.Count, r.Replayed, r.LastHour, r.First.UTC(), r.Last.UTC(), r.Sources, r.SourceCount - uint64(len(r.Sources)), quarantine.PlaceText(r.Example)}
			}
			if o.json {
				return writeJSON(cmd.OutOrStdout(), list)
			}
			return printQuarantine(cmd.OutOrStdout(), list)
		},
	}
	o.add(cmd)
	return cmd
}

func printQuarantine(out io.Writer, list []quarantineReason) error {
	if len(list) == 0 {
		fmt.Fprintln(out, "Nothing is in the quarantine.")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REASON\tRECORDS\tLAST HOUR\tREPLAYED\tFIRST\tLAST\tEXAMPLE\tSOURCES")
	for _, r := range list {
		var sources []string
		for _, s := range r.Sources[:min(len(r.Sources), 5)] {
			if s == "" {
				s = "(not readable)"
			}
			sources = append(sources, s)
		}
		text := strings.Join(sources, ", ")
		if more := r.More + uint64(len(r.Sources)-len(sources)); more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\n", r.Reason, r.Count, r.LastHour, r.Replayed, r.First.Format("2006-01-02 15:04Z"), r.Last.Format("2006-01-02 15:04Z"), r.Example, text)
	}
	return w.Flush()
}

// quarantineRecord is one record as it is shown.
type quarantineRecord struct {
	Place    string           `json:"place"`
	Reason   string           `json:"reason"`
	Pointer  string           `json:"pointer,omitempty"`
	Detail   string           `json:"detail"`
	Mend     string           `json:"mend,omitempty"`
	Size     uint32           `json:"size"`
	Source   string           `json:"source,omitempty"`
	Recorded time.Time        `json:"recorded"` // by Kafka
	Stored   time.Time        `json:"stored"`
	CopyOf   string           `json:"copyOf,omitempty"`
	Replayed uint64           `json:"replayed"`
	Last     *time.Time       `json:"lastReplayed,omitempty"`
	MendedBy string           `json:"mendedBy,omitempty"`
	Why      string           `json:"why,omitempty"`
	Content  *quarantineBytes `json:"content,omitempty"`
}

// quarantineBytes are a record's bytes as texts of printable characters.
type quarantineBytes struct {
	Key     string             `json:"key,omitempty"`
	Headers []quarantineHeader `json:"headers"`
	Value   string             `json:"value"`
}

type quarantineHeader struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func newQuarantineShowCommand() *cobra.Command {
	var file, why string
	var decrypt, asJSON bool
	cmd := &cobra.Command{
		Use:   "show TOPIC/PARTITION/OFFSET",
		Short: "One record of the quarantine: what is wrong with it, and how to mend it",
		Long: `Show tells why a record is in the quarantine and how to mend it. With --decrypt it prints
the record's headers and value too, with control characters and all else that cannot be
seen escaped.

Who may decrypt: whoever may read the secret's file that the configuration names, and nobody
else. What could not be understood may hold anything, identifiers and contents included:
decrypt only to find a fault, as a person who is charged with that (GDPR Art. 29, 32(4)),
and keep the output nowhere. That you did, and --why, is written into the trail before.`,
		Example: `  andmerada quarantine show andmerada.events/0/1714
  andmerada quarantine show andmerada.events/0/1714 --decrypt --why 'which field the CRM sends wrong'`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) (err error) {
			at, err := quarantine.ParsePlace(a[0])
			if err != nil {
				return usageError{fmt.Errorf("quarantine show: %w", err)}
			}
			c, err := findConfig(file)
			if err != nil {
				return err
			}
			var keys *identity.Keys
			if decrypt {
				if keys, err = c.keys(); err != nil {
					return err
				}
			}
			db, err := openTrail(cmd.Context(), c, true)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			places := []identity.Place{at}
			found, err := db.Quarantined(cmd.Context(), trail.QuarantineFilter{Places: places}, nil, 1)
			if err != nil {
				return err
			}
			if len(found) == 0 {
				return fmt.Errorf("quarantine show %s: %w; see 'andmerada quarantine list'", a[0], quarantine.ErrNone)
			}
			shown := recordShown(&found[0])
			if decrypt {
				if err := askedQuarantine(cmd.Context(), c, access.Quarantine, 1, a[0], why); err != nil {
					return err
				}
				sealed, err := db.QuarantineSealed(cmd.Context(), places)
				if err != nil {
					return err
				}
				rec, err := quarantine.Open(keys, sealed[at], at)
				if err != nil {
					return err
				}
				shown.Content = &quarantineBytes{Key: escaped(rec.Key), Value: escaped(rec.Value), Headers: []quarantineHeader{}}
				for _, h := range rec.Headers {
					shown.Content.Headers = append(shown.Content.Headers, quarantineHeader{escaped([]byte(h.Key)), escaped(h.Value)})
				}
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), shown)
			}
			return printRecord(cmd.OutOrStdout(), shown)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&decrypt, "decrypt", false, "print the record's headers and value; needs the secret's file")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	whyFlag(cmd, &why)
	return cmd
}

// keys reads the secret, which must be there.
func (c *config) keys() (*identity.Keys, error) {
	secret, err := identity.LoadSecret(c.SecretFile)
	if err != nil {
		return nil, err
	}
	return identity.New(secret)
}

func recordShown(q *trail.Quarantined) *quarantineRecord {
	r := &quarantineRecord{
		Place: quarantine.PlaceText(q.Place), Reason: q.Reason, Pointer: q.Pointer, Detail: q.Detail,
		Size: q.Size, Source: q.Source, Recorded: q.Recorded.UTC(), Stored: q.Stored.UTC(), Replayed: q.Sends,
	}
	if i := strings.LastIndex(q.Detail, "; "); i >= 0 { // as [event.Fault] writes it
		r.Detail, r.Mend = q.Detail[:i], q.Detail[i+2:]
	}
	if q.Root != q.Place {
		r.CopyOf = quarantine.PlaceText(q.Root)
	}
	if q.Sends > 0 {
		last := q.LastSent.UTC()
		r.Last, r.MendedBy, r.Why = &last, q.Mended.By, q.Mended.Why
	}
	return r
}

// escaped is a text that no terminal takes for a command: control characters,
// bytes that are not UTF-8 and characters that cannot be seen stand as in a
// string of Go, but quotes stay as they are.
func escaped(b []byte) string {
	quoted := fmt.Sprintf("%q", b)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func printRecord(out io.Writer, r *quarantineRecord) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, text)
		}
	}
	line("place", r.Place)
	line("reason", r.Reason)
	line("at", r.Pointer)
	line("found", escaped([]byte(r.Detail)))
	line("mend", escaped([]byte(r.Mend)))
	line("source", r.Source)
	line("size", plural(int(r.Size), "byte"))
	line("recorded", r.Recorded.Format(time.RFC3339)+" in Kafka")
	line("stored", r.Stored.Format(time.RFC3339))
	line("copy of", r.CopyOf)
	if r.Last != nil {
		line("replayed", plural(int(r.Replayed), "time")+", last "+r.Last.Format(time.RFC3339))
	}
	line("mended by", escaped([]byte(r.MendedBy)))
	line("why", escaped([]byte(r.Why)))
	if r.Content != nil {
		line("key", r.Content.Key)
		for _, h := range r.Content.Headers {
			line("header", h.Name+": "+h.Value)
		}
	}
	if err := w.Flush(); err != nil || r.Content == nil {
		return err
	}
	fmt.Fprintf(out, "\n%s\n", r.Content.Value)
	return nil
}
