package intake

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/andmerada/andmerada/internal/event"
)

// Source is a system that may send, and what it may write.
type Source struct {
	Name string `yaml:"name"` // for logs and metrics; unique
	// Token is the SHA-256 of the token, in hexadecimal. The token itself is
	// written down nowhere but with the system that sends.
	Token string `yaml:"token_sha256,omitempty"`
	// Certificate is the common name, or a DNS or URI name, of a client
	// certificate; what signs it, the server's TLS says.
	Certificate string `yaml:"certificate,omitempty"`
	// Sources are what it may write for: these CloudEvents sources, and all
	// below them.
	Sources []string `yaml:"sources"`
	// Controllers are names of registers; "*" is any.
	Controllers []string `yaml:"controllers"`
	// Expires is when it does not count any more: a day, by UTC, or an RFC 3339
	// time; never if empty. It is text because the library takes any text for a time.
	Expires string  `yaml:"expires,omitempty"`
	Rate    float64 `yaml:"events_per_second,omitempty"` // that of [Limits] if 0
}

// mayWriteFor says whether the source of an event is one of those of the token:
// "/netpro/billing" is, and "/netpro/billing/eu", but not "/netpro/billing-2".
// Andmerada's own account of what was asked is nobody's.
func (s *Source) mayWriteFor(source string) bool {
	if source == event.AnswersSource {
		return false
	}
	for _, prefix := range s.Sources {
		rest, below := strings.CutPrefix(source, prefix)
		if below && (rest == "" || strings.HasSuffix(prefix, "/") || strings.HasSuffix(prefix, ":") || strings.ContainsRune("/:#?", rune(rest[0]))) {
			return true
		}
	}
	return false
}

func (s *Source) mayWriteOf(controller string) bool {
	return slices.Contains(s.Controllers, controller) || slices.Contains(s.Controllers, "*")
}

// expiry is the zero time for never.
func (s *Source) expiry() (time.Time, error) {
	if s.Expires == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, s.Expires); err == nil {
		return day, nil
	}
	at, err := time.Parse(time.RFC3339, s.Expires)
	if err != nil {
		return at, fmt.Errorf("%s: expires is neither a day like 2027-01-31 nor an RFC 3339 time", s.Name)
	}
	return at, nil
}

// check says what is wrong with an entry.
func (s *Source) check() error {
	switch sum, err := hex.DecodeString(s.Token); {
	case strings.HasPrefix(s.Name, tokenPrefix):
		return errors.New("name: an entry is named by its token: take that out, and make another token, as others may have read this one")
	case s.Name == "" || len(s.Name) > 64 || strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "":
		return errors.New("name: give each entry a name of letters, digits, '-', '_' and '.'")
	case s.Token == "" && s.Certificate == "":
		return fmt.Errorf("%s: it lacks token_sha256, or certificate", s.Name)
	case s.Token != "" && (err != nil || len(sum) != sha256.Size):
		return fmt.Errorf("%s: token_sha256 is no SHA-256 in hexadecimal: it is the sum of the token, as andmerada intake token new prints it, never the token", s.Name)
	case len(s.Sources) == 0 || slices.Contains(s.Sources, ""):
		return fmt.Errorf("%s: sources must name at least one CloudEvents source, and no empty one", s.Name)
	case len(s.Controllers) == 0 || slices.Contains(s.Controllers, ""):
		return fmt.Errorf(`%s: controllers must name at least one controller, or "*" for any`, s.Name)
	case s.Rate < 0:
		return fmt.Errorf("%s: events_per_second is negative", s.Name)
	}
	_, err := s.expiry()
	return err
}

// tokenPrefix shows those who search for leaked secrets what a token is.
const tokenPrefix = "andmerada_intake_"

// NewToken makes a token of 256 random bits, and what stands for it in the file.
func NewToken() (token, sum string) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: the program ends before
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	return token, sumOf(token)
}

func sumOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// lookEvery is how often the file is looked at.
const lookEvery = time.Second

// Tokens are the sources that a file names. It may be used by several
// goroutines. A file that has changed takes effect within a second; one that
// does not check changes nothing, and the log says so.
type Tokens struct {
	file string
	log  *slog.Logger
	now  func() time.Time

	all    atomic.Pointer[[]entry]
	mu     sync.Mutex // guards the rest
	looked time.Time
	info   fs.FileInfo
}

type entry struct {
	Source
	sum     [sha256.Size]byte
	expires time.Time // zero = never
}

// LoadTokens reads the file: YAML, a list of [Source] under "sources".
func LoadTokens(file string, log *slog.Logger) (*Tokens, error) {
	t := &Tokens{file: file, log: log, now: time.Now}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read the tokens of the intake: %w", err)
	}
	all, err := readTokens(file)
	if err != nil {
		return nil, err
	}
	t.all.Store(&all)
	t.info, t.looked = info, t.now()
	return t, nil
}

func readTokens(file string) ([]entry, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the tokens of the intake: %w", err)
	}
	var list struct {
		Sources []Source `yaml:"sources"`
	}
	if err := yaml.UnmarshalWithOptions(data, &list, yaml.Strict()); err != nil {
		// Not the text around it, which may hold what should not be there.
		return nil, fmt.Errorf("read the tokens of the intake %s: %s", file, yaml.FormatError(err, false, false))
	}
	var errs []error
	names, sums, certificates := map[string]bool{}, map[string]bool{}, map[string]bool{}
	all := make([]entry, len(list.Sources))
	for i, s := range list.Sources {
		s.Token = strings.ToLower(s.Token)
		errs = append(errs, s.check())
		if names[s.Name] || s.Token != "" && sums[s.Token] || s.Certificate != "" && certificates[s.Certificate] {
			errs = append(errs, fmt.Errorf("entry %d: its name, token or certificate stands there twice", i+1))
		}
		names[s.Name], sums[s.Token], certificates[s.Certificate] = true, true, true
		all[i].Source = s
		sum, _ := hex.DecodeString(s.Token) // checked above
		copy(all[i].sum[:], sum)
		all[i].expires, _ = s.expiry()
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("read the tokens of the intake %s: %w", file, err)
	}
	return all, nil
}

// refresh reads the file again where it has changed.
func (t *Tokens) refresh() {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.looked) < lookEvery {
		return
	}
	t.looked = now
	info, err := os.Stat(t.file)
	if err == nil && os.SameFile(info, t.info) && info.ModTime().Equal(t.info.ModTime()) && info.Size() == t.info.Size() {
		return
	}
	var all []entry
	if err == nil {
		t.info = info // the same file is not tried again
		all, err = readTokens(t.file)
	}
	if err != nil {
		t.log.Error("the tokens of the intake cannot be read again: those in use stay", slog.Any("error", err))
		return
	}
	t.all.Store(&all)
	t.log.Info("tokens of the intake in use", slog.Int("sources", len(all)))
}

// errToken is what is wrong with who sends.
type errToken struct{ detail string }

// Error is the detail.
func (e *errToken) Error() string { return e.detail }

// Authenticate says who sends a request: by its bearer token (RFC 6750 §2.1), or
// else by the client certificate that TLS has verified. It takes as long for any
// token that is wrong.
func (t *Tokens) Authenticate(r *http.Request) (*Source, error) {
	t.refresh()
	all := *t.all.Load()
	var found *entry
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return nil, &errToken{"Send the header Authorization: Bearer TOKEN."}
		}
		sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
		for i := range all {
			if subtle.ConstantTimeCompare(sum[:], all[i].sum[:]) == 1 && all[i].Token != "" {
				found = &all[i]
			}
		}
		if found == nil {
			return nil, &errToken{"The token is not known here."}
		}
	} else if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		names := namesOf(r.TLS.VerifiedChains[0][0])
		for i := range all {
			if all[i].Certificate != "" && slices.Contains(names, all[i].Certificate) {
				found = &all[i]
			}
		}
		if found == nil {
			return nil, &errToken{"The client certificate has no entry here."}
		}
	} else {
		return nil, &errToken{"Send the header Authorization: Bearer TOKEN."}
	}
	if !found.expires.IsZero() && !t.now().Before(found.expires) {
		return nil, &errToken{"The token has expired: ask for a new one."}
	}
	return &found.Source, nil
}

func namesOf(c *x509.Certificate) []string {
	names := append([]string{c.Subject.CommonName}, c.DNSNames...)
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	return names
}

// Entry is the text to add to the file of tokens for a source.
func Entry(s Source) (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	text, err := yaml.Marshal([]Source{s})
	if err != nil {
		return "", fmt.Errorf("write an entry of the intake: %w", err)
	}
	return string(text), nil
}
