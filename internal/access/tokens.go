package access

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/andmerada/andmerada/internal/identity"
)

// TokenPrefix begins every local token, so that those who look for secrets in
// the wrong places find them.
const TokenPrefix = "andmerada_"

// NewToken draws a token of 256 random bits. Only its hash is kept.
func NewToken() string { return TokenPrefix + rand.Text() + rand.Text() }

// HashToken is SHA-256 of the token in hexadecimal. A slow hash would win
// nothing: nobody guesses 256 random bits.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Token is one entry of the file of tokens.
type Token struct {
	Name        string    `yaml:"name"`
	SHA256      string    `yaml:"sha256"`
	Roles       []Role    `yaml:"roles"`
	Controllers []string  `yaml:"controllers"`
	Expires     time.Time `yaml:"expires"`
	Persons     []string  `yaml:"persons,omitempty"` // pseudonyms that an agent may ask about

	hash    [sha256.Size]byte
	persons []identity.Pseudonym
}

type tokensFile struct {
	Tokens []Token `yaml:"tokens"`
}

var tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ParseTokens reads a file of tokens.
func ParseTokens(data []byte) ([]Token, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	var f tokensFile
	if err := yaml.UnmarshalWithOptions(data, &f, yaml.Strict()); err != nil {
		return nil, errors.New(yaml.FormatError(err, false, true))
	}
	for i := range f.Tokens {
		if err := f.Tokens[i].check(); err != nil {
			return nil, fmt.Errorf("token %d: %w", i+1, err)
		}
		for j := range i {
			if f.Tokens[j].Name == f.Tokens[i].Name || f.Tokens[j].hash == f.Tokens[i].hash {
				return nil, fmt.Errorf("token %d has the name or the hash of token %d", i+1, j+1)
			}
		}
	}
	return f.Tokens, nil
}

func (t *Token) check() error {
	if !tokenName.MatchString(t.Name) {
		return errors.New("name: 1 to 64 letters, digits, dots, hyphens and underscores")
	}
	sum, err := hex.DecodeString(t.SHA256)
	if err != nil || len(sum) != sha256.Size {
		return fmt.Errorf("%s: sha256 must be 64 hexadecimal digits", t.Name)
	}
	copy(t.hash[:], sum)
	if len(t.Roles) == 0 || len(t.Controllers) == 0 {
		return fmt.Errorf("%s: name at least one role and one controller (%q for all)", t.Name, Everyone)
	}
	for _, r := range t.Roles {
		if _, err := ParseRole(string(r)); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	if t.Expires.IsZero() {
		return fmt.Errorf("%s: expires is missing: a token that holds for ever is never looked at again", t.Name)
	}
	for _, p := range t.Persons {
		who, err := identity.ParsePseudonym(p)
		if err != nil {
			return fmt.Errorf("%s: persons: %w", t.Name, err)
		}
		t.persons = append(t.persons, who)
	}
	if slices.Contains(t.Roles, Agent) && len(t.persons) == 0 {
		return fmt.Errorf("%s: an agent's token names whom it may ask about, in persons", t.Name)
	}
	return nil
}

func (t *Token) principal() *Principal {
	return &Principal{ID: t.Name, Name: t.Name, Machine: true, Grants: grants(t.Roles, t.Controllers), Persons: t.persons}
}

// Tokens are the local tokens of a file, read anew when it changes. Where it
// cannot be read no token is good: one that was taken back must not come to
// life by a slip in the file.
type Tokens struct {
	file string
	log  *slog.Logger
	now  func() time.Time

	mu      sync.Mutex
	looked  time.Time
	changed time.Time
	size    int64
	tokens  []Token
}

// reloadEvery is how often the file is looked at, at most.
const reloadEvery = time.Second

// OpenTokens reads the file; a fault in it is an error now, and later one in
// the log.
func OpenTokens(file string, log *slog.Logger, now func() time.Time) (*Tokens, error) {
	t := &Tokens{file: file, log: log, now: now}
	if err := t.read(); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Tokens) read() error {
	info, err := os.Stat(t.file)
	if err == nil {
		t.changed, t.size = info.ModTime(), info.Size()
		var data []byte
		if data, err = os.ReadFile(t.file); err == nil {
			t.tokens, err = ParseTokens(data)
		}
	}
	if err != nil {
		t.tokens = nil
		return fmt.Errorf("read the tokens of %s: %w", t.file, err)
	}
	return nil
}

func (t *Tokens) current() []Token {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.now(); now.Sub(t.looked) >= reloadEvery || now.Before(t.looked) {
		t.looked = now
		info, err := os.Stat(t.file)
		if err != nil || !info.ModTime().Equal(t.changed) || info.Size() != t.size {
			if err := t.read(); err != nil {
				t.log.Error("no local token is taken until its file is mended", slog.Any("error", err))
				t.changed = time.Time{} // look again
			} else {
				t.log.Info("read the tokens anew", slog.Int("tokens", len(t.tokens)))
			}
		}
	}
	return t.tokens
}

// Principal is whose token it is, or ErrNobody. It takes as long whichever
// token is meant, and whether there is such a one.
func (t *Tokens) Principal(token string) (*Principal, error) {
	sum := sha256.Sum256([]byte(token))
	found := -1
	all := t.current()
	for i := range all {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], all[i].hash[:]), i, found)
	}
	if !strings.HasPrefix(token, TokenPrefix) || found < 0 || !t.now().Before(all[found].Expires) {
		return nil, ErrNobody
	}
	return all[found].principal(), nil
}
