package identity

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func testKeys(t testing.TB) *Keys {
	t.Helper()
	secret, err := ParseSecret(strings.Repeat("0f", SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := New(secret)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestPseudonymsNeverChange(t *testing.T) {
	t.Parallel()
	// These are in trails: if one changes, its person is lost.
	keys := testKeys(t)
	for _, c := range []struct{ controller, scheme, value, want string }{
		{"elektrum", "email", "mari@example.ee", "85c74f4018a54ab10ba126349098d304"},
		{"netpro", "email", "mari@example.ee", "dc463f7542e92383aa49843dc195a239"},
		{"elektrum", "customer-number", "EE-1", "f19655b374bf72a989b1f2e1c919b2a5"},
	} {
		p, err := keys.Pseudonym(c.controller, c.scheme, c.value)
		if err != nil || p.String() != c.want {
			t.Errorf("%s %s: %s, %v; want %s", c.controller, c.scheme, p, err, c.want)
		}
	}
	cohort, err := keys.Cohort("elektrum", "2024-06")
	if want := "876edb55e34a83662c127cc5f7535ee5"; err != nil || cohort.String() != want {
		t.Errorf("cohort: %s, %v; want %s", cohort, err, want)
	}
}

func TestNormalise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ scheme, value, want string }{
		{"email", " Mari.Maasikas@Example.EE\n", "mari.maasikas@example.ee"},
		{"personal-code", " 4900101 0017 ", "49001010017"},
		{"customer-number", "ee-12 a", "EE-12A"},
		{"metering-point", "38z ee-00720\u00a0510", "38ZEE-00720510"},
		{"phone", "+372 (5) 123-4567", "+37251234567"},
		{"phone", "(+372) 5123", "+3725123"},
		{"phone", "00372 5123", "+3725123"},
		{"phone", "5123 4567", "51234567"},
		{"phone", "none", ""},
		{"loyalty-card", " Ab 1 ", "Ab 1"},
	} {
		if got := Normalise(c.scheme, c.value); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.scheme, c.value, got, c.want)
		}
	}
}

func TestPseudonymErrorsHoldNoIdentifier(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	for _, c := range [][2]string{{"email", " \t"}, {"phone", "secret-name"}, {"pseudonym", "secret-name"}, {"pseudonym", strings.Repeat("secret-n", 4)}} {
		p, err := keys.Pseudonym("elektrum", c[0], c[1])
		if err == nil {
			t.Errorf("%s %q is taken as %s", c[0], c[1], p)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("error tells the identifier: %v", err)
		}
	}
	p, err := keys.Pseudonym("elektrum", "pseudonym", "00112233445566778899AABBCCDDEEFF")
	if err != nil || p.String() != "00112233445566778899aabbccddeeff" {
		t.Errorf("a pseudonym is not taken as it is: %s, %v", p, err)
	}
}

func TestNoTwoIdentifiersCollide(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	scheme := rapid.StringMatching(`[a-c]{1,3}`)
	value := rapid.StringMatching(`[a-c]{1,3}`)
	rapid.Check(t, func(t *rapid.T) {
		s1, v1, s2, v2 := scheme.Draw(t, "s1"), value.Draw(t, "v1"), scheme.Draw(t, "s2"), value.Draw(t, "v2")
		p1, err1 := keys.Pseudonym("c", s1, v1)
		p2, err2 := keys.Pseudonym("c", s2, v2)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if (p1 == p2) != (s1 == s2 && v1 == v2) {
			t.Fatalf("(%s,%s) and (%s,%s): %s, %s", s1, v1, s2, v2, p1, p2)
		}
		if cohort, err := keys.Cohort("c", v1); err != nil || cohort == p1 {
			t.Fatalf("cohort and person of the same text: %s, %v", cohort, err)
		}
	})
}

func TestPseudonymText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := Pseudonym(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "p"))
		text, err := p.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var q Pseudonym
		if err := q.UnmarshalText(text); err != nil || q != p {
			t.Fatalf("%s read back as %s, %v", p, q, err)
		}
	})
}

func TestKeysAreSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	want, err := keys.Pseudonym("c5", "email", "a@b")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 3000 { // more controllers than are cached
				if _, err := keys.Pseudonym(fmt.Sprintf("g%d-%d", g, i), "email", "a@b"); err != nil {
					t.Error(err)
				}
				if got, err := keys.Pseudonym("c5", "email", "a@b"); got != want {
					t.Errorf("%s, %v; want %s", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := len(keys.controllers); n > maxCachedKeys {
		t.Errorf("%d keys are kept", n)
	}
}

func TestSeal(t *testing.T) {
	t.Parallel()
	keys := testKeys(t)
	at := Place{"events", 3, 1 << 40}
	plain := bytes.Repeat([]byte("payload "), 100)
	sealed := keys.Seal(nil, plain, at)
	if bytes.Contains(sealed, []byte("payload")) {
		t.Fatal("sealed bytes are readable")
	}
	if got, err := keys.Open(sealed, at); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("open: %v", err)
	}
	if again := keys.Seal(nil, plain, at); bytes.Equal(again, sealed) {
		t.Error("two seals are the same: the nonce repeats")
	}
	for _, elsewhere := range []Place{{"other", 3, 1 << 40}, {"events", 4, 1 << 40}, {"events", 3, 1<<40 + 1}} {
		if _, err := keys.Open(sealed, elsewhere); !errors.Is(err, ErrSealed) {
			t.Errorf("opens at %+v: %v", elsewhere, err)
		}
	}
	other, err := ParseSecret(strings.Repeat("0e", SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	otherKeys, err := New(other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := otherKeys.Open(sealed, at); !errors.Is(err, ErrSealed) {
		t.Errorf("opens with another secret: %v", err)
	}
	for _, broken := range [][]byte{nil, sealed[:1], sealed[:20], append([]byte{2}, sealed[1:]...), append(bytes.Clone(sealed), 0)} {
		if _, err := keys.Open(broken, at); !errors.Is(err, ErrSealed) {
			t.Errorf("%d bytes open: %v", len(broken), err)
		}
	}
}

func TestSecretFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	first, created, err := LoadOrCreateSecret(path)
	if err != nil || !created || len(first.bytes) != SecretSize {
		t.Fatalf("created %v, %d bytes, %v", created, len(first.bytes), err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	again, created, err := LoadOrCreateSecret(path)
	if err != nil || created || !bytes.Equal(first.bytes, again.bytes) {
		t.Fatalf("read back: created %v, %v", created, err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", first, first, first, first); strings.Contains(text, hex.EncodeToString(first.bytes[:4])) || strings.Count(text, "(secret)") != 4 {
		t.Errorf("a secret prints as %s", text)
	}
}

func TestSecretIsCreatedOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	secrets := make([]Secret, 16)
	created := make([]bool, len(secrets))
	var wg sync.WaitGroup
	for i := range secrets {
		wg.Go(func() {
			var err error
			if secrets[i], created[i], err = LoadOrCreateSecret(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n := 0
	for i := range secrets {
		if created[i] {
			n++
		}
		if !bytes.Equal(secrets[i].bytes, secrets[0].bytes) {
			t.Error("two secrets")
		}
	}
	if n != 1 {
		t.Errorf("created %d times", n)
	}
}

func TestSecretFileIsRefused(t *testing.T) {
	t.Parallel()
	good := bytes.Repeat([]byte{7}, SecretSize)
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		want    string // "" = accepted
	}{
		"hex":               {hex.EncodeToString(good), 0o600, ""},
		"base64":            {base64.StdEncoding.EncodeToString(good) + "\n", 0o400, ""},
		"group may read":    {hex.EncodeToString(good), 0o440, ""},
		"others may read":   {hex.EncodeToString(good), 0o644, "chmod 600"},
		"group may write":   {hex.EncodeToString(good), 0o660, "chmod 600"},
		"too short":         {hex.EncodeToString(good[1:]), 0o600, "31 bytes"},
		"empty":             {"", 0o600, "0 bytes"},
		"not a secret":      {"correct horse", 0o600, "openssl rand"},
		"far too long, bad": {strings.Repeat("!", 1<<16), 0o600, "openssl rand"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			_, created, err := LoadOrCreateSecret(path)
			switch {
			case created:
				t.Error("the file was replaced")
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v does not say %q", err, c.want)
			}
		})
	}
}

func BenchmarkPseudonym(b *testing.B) {
	keys := testKeys(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.Pseudonym("elektrum", "customer-number", "EE-1234567"); err != nil {
			b.Fatal(err)
		}
	}
}
