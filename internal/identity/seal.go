package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// Place is where in Kafka a sealed record lay. It is bound to the sealed bytes:
// they open at no other place.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

// ErrSealed says that sealed bytes do not open: another secret sealed them, or
// they are of another place, or were changed.
var ErrSealed = errors.New("the sealed bytes do not open: another secret sealed them, or they are not of this place, or were changed")

// sealVersion is the first byte of what Seal makes.
const sealVersion = 1

type aead = cipher.AEAD

// newAEAD is AES-256-GCM with a random nonce of 96 bits before the ciphertext.
// Its bound of 2^32 messages under one key (NIST SP 800-38D §8.3) is far above
// what a quarantine should ever see.
func newAEAD(key []byte) (aead, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Seal encrypts bytes for the quarantine and appends them to dst. Sealing the
// same bytes again gives others: the nonce is random.
func (k *Keys) Seal(dst, plain []byte, at Place) []byte {
	return k.quarantine.Seal(append(dst, sealVersion), nil, plain, at.bind())
}

// Open decrypts what [Keys.Seal] made for that place, or fails with
// [ErrSealed].
func (k *Keys) Open(sealed []byte, at Place) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return nil, fmt.Errorf("open sealed bytes: %w", ErrSealed)
	}
	plain, err := k.quarantine.Open(nil, nil, sealed[1:], at.bind())
	if err != nil {
		return nil, fmt.Errorf("open sealed bytes: %w", ErrSealed)
	}
	return plain, nil
}

// SealText encrypts a short text that is given out and comes back, as a cursor
// is. It opens only with what it is bound to.
func (k *Keys) SealText(plain, boundTo string) string {
	return base64.RawURLEncoding.EncodeToString(k.texts.Seal(nil, nil, []byte(plain), []byte(boundTo)))
}

// OpenText decrypts what [Keys.SealText] made, or fails with [ErrSealed].
func (k *Keys) OpenText(sealed, boundTo string) (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return "", fmt.Errorf("open a sealed text: %w", ErrSealed)
	}
	plain, err := k.texts.Open(nil, nil, raw, []byte(boundTo))
	if err != nil {
		return "", fmt.Errorf("open a sealed text: %w", ErrSealed)
	}
	return string(plain), nil
}

// bind is the place as associated data.
func (at Place) bind() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 16+len(at.Topic)), uint64(at.Offset))
	b = binary.BigEndian.AppendUint32(b, uint32(at.Partition))
	return append(b, at.Topic...)
}
