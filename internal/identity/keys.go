package identity

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"sync"
)

// Pseudonym stands for one identifier of one person at one controller, or for
// a cohort. The zero value stands for nobody.
type Pseudonym [16]byte

// String is the pseudonym as 32 hexadecimal digits.
func (p Pseudonym) String() string { return hex.EncodeToString(p[:]) }

// IsZero says that it stands for nobody.
func (p Pseudonym) IsZero() bool { return p == Pseudonym{} }

// MarshalText is String.
func (p Pseudonym) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, p[:]), nil }

// UnmarshalText is ParsePseudonym.
func (p *Pseudonym) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePseudonym(string(b))
	return err
}

// ErrNotPseudonym says that a text is not 32 hexadecimal digits. The error
// does not hold the text: it may be an identifier.
var ErrNotPseudonym = errors.New("a pseudonym is 32 hexadecimal digits")

// ParsePseudonym reads 32 hexadecimal digits.
func ParsePseudonym(s string) (p Pseudonym, err error) {
	if len(s) != 2*len(p) {
		return p, ErrNotPseudonym
	}
	if _, err := hex.Decode(p[:], []byte(s)); err != nil {
		return Pseudonym{}, ErrNotPseudonym
	}
	return p, nil
}

// Keys makes pseudonyms and seals. It is safe for concurrent use.
type Keys struct {
	secret     []byte
	quarantine aead
	texts      aead

	mu          sync.RWMutex
	controllers map[string]*controllerKey
}

// maxCachedKeys bounds the keys that are kept: names of controllers may come
// from outside.
const maxCachedKeys = 1024

// controllerKey keeps HMACs of one controller's key that are ready for use.
type controllerKey struct {
	key  []byte
	macs sync.Pool
}

// New derives the keys. The versions in the labels below are for the day when
// a derivation must change: what was stored under the old one stays findable
// by it.
func New(secret Secret) (*Keys, error) {
	if len(secret.bytes) < SecretSize {
		return nil, fmt.Errorf("derive keys: the secret has %d bytes, it needs at least %d", len(secret.bytes), SecretSize)
	}
	k := &Keys{secret: secret.bytes, controllers: make(map[string]*controllerKey)}
	key, err := hkdf.Key(sha256.New, k.secret, nil, "andmerada quarantine v1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the quarantine's key: %w", err)
	}
	if k.quarantine, err = newAEAD(key); err != nil {
		return nil, fmt.Errorf("derive the quarantine's key: %w", err)
	}
	if key, err = hkdf.Key(sha256.New, k.secret, nil, "andmerada texts v1", 32); err != nil {
		return nil, fmt.Errorf("derive the key of texts: %w", err)
	}
	if k.texts, err = newAEAD(key); err != nil {
		return nil, fmt.Errorf("derive the key of texts: %w", err)
	}
	return k, nil
}

func (k *Keys) controller(name string) (*controllerKey, error) {
	k.mu.RLock()
	c := k.controllers[name]
	k.mu.RUnlock()
	if c != nil {
		return c, nil
	}
	key, err := hkdf.Key(sha256.New, k.secret, nil, "andmerada pseudonym v1 "+name, 32)
	if err != nil {
		return nil, fmt.Errorf("derive a controller's key: %w", err)
	}
	c = &controllerKey{key: key}
	c.macs.New = func() any { return &mac{Hash: hmac.New(sha256.New, c.key)} }
	k.mu.Lock()
	defer k.mu.Unlock()
	if other := k.controllers[name]; other != nil {
		return other, nil
	}
	if len(k.controllers) < maxCachedKeys {
		k.controllers[name] = c
	}
	return c, nil
}

// mac is an HMAC with room for what goes in and what comes out.
type mac struct {
	hash.Hash
	in, out []byte
}

// What a pseudonym is of: so that no person is ever taken for a cohort.
const (
	ofPerson = 'p'
	ofCohort = 'c'
)

// sum is the HMAC over both texts. The first one's length stands before it, so
// that no two pairs are the same bytes.
func (c *controllerKey) sum(what byte, first, second string) (p Pseudonym) {
	m := c.macs.Get().(*mac)
	m.in = append(m.in[:0], what)
	m.in = binary.BigEndian.AppendUint32(m.in, uint32(len(first)))
	m.in = append(m.in, first...)
	m.in = append(m.in, second...)
	m.Reset()
	m.Write(m.in)
	m.out = m.Sum(m.out[:0])
	copy(p[:], m.out)
	clear(m.in) // an identifier stays in memory no longer than need be
	c.macs.Put(m)
	return p
}

// Pseudonym is that of one person at one controller, known by an identifier of
// a scheme: HMAC-SHA256 over the scheme and the normalised value, cut to 128
// bits. A value of the scheme "pseudonym" is one already. Errors never hold
// the value.
func (k *Keys) Pseudonym(controller, scheme, value string) (Pseudonym, error) {
	if scheme == pseudonymScheme {
		return ParsePseudonym(value)
	}
	normal := Normalise(scheme, value)
	if normal == "" {
		return Pseudonym{}, fmt.Errorf("nothing is left of the identifier of scheme %q when it is normalised", scheme)
	}
	c, err := k.controller(controller)
	if err != nil {
		return Pseudonym{}, err
	}
	return c.sum(ofPerson, scheme, normal), nil
}

// Cohort is the pseudonym that a cohort's own rows go under.
func (k *Keys) Cohort(controller, id string) (Pseudonym, error) {
	c, err := k.controller(controller)
	if err != nil {
		return Pseudonym{}, err
	}
	return c.sum(ofCohort, "cohort", id), nil
}
