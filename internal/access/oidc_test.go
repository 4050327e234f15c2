package access

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/andmerada/andmerada/internal/identity"
)

// issuer is a provider of nothing but keys, which signs what it is told to.
type issuer struct {
	t *testing.T
	*httptest.Server

	mu      sync.Mutex
	keys    map[string]*ecdsa.PrivateKey
	fetched int
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	p := &issuer{t: t, keys: make(map[string]*ecdsa.PrivateKey)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, map[string]any{
			"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token",
			// A provider that would sign by anything must not be followed in that.
			"id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.fetched++
		var set jose.JSONWebKeySet
		for id, key := range p.keys {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: id, Algorithm: "ES256", Use: "sig"})
		}
		p.json(w, set)
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	p.newKey("k1")
	return p
}

func (p *issuer) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

func (p *issuer) newKey(id string) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys[id] = key
	return key
}

func (p *issuer) key(id string) *ecdsa.PrivateKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[id]
}

func signed(t *testing.T, alg jose.SignatureAlgorithm, key any, id string, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", id))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const (
	audience = "andmerada-api"
	subject  = "37605030299" // stands in every token, and may stand nowhere else
)

func config(p *issuer, c *clock) OIDCConfig {
	return OIDCConfig{
		Issuer: p.URL, ClientID: "andmerada", RedirectURL: "http://127.0.0.1:8080/login/callback", Audience: audience, Now: c.now,
		Grants: []GroupGrant{{"dpo", []Role{DPO}, []string{"acme"}}, {"soc", []Role{Responder, Auditor}, []string{"other"}}},
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	p := newIssuer(t)
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	o, err := NewOIDC(config(p, c))
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]any{"iss": p.URL, "sub": subject, "aud": audience, "iat": c.t.Unix(), "exp": c.t.Add(5 * time.Minute).Unix(), "groups": []string{"dpo", "staff"}}
	with := func(name string, value any) map[string]any {
		m := maps.Clone(good)
		m[name] = value
		if value == nil {
			delete(m, name)
		}
		return m
	}
	es := func(claims map[string]any) string { return signed(t, jose.ES256, p.key("k1"), "k1", claims) }
	who, err := o.Bearer(t.Context(), es(good))
	if err != nil {
		t.Fatal(err)
	}
	if as, err := Allow(who, Facts, Scope{Controller: "acme"}); err != nil || as != DPO || who.ID != subject || who.Sees("other") {
		t.Errorf("%+v: %v, %v", who, as, err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	payload, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	public, err := json.Marshal(jose.JSONWebKey{Key: p.key("k1").Public(), KeyID: "k1"})
	if err != nil {
		t.Fatal(err)
	}
	whole := strings.Split(es(good), ".")
	for name, token := range map[string]string{
		"empty":                    "",
		"no token":                 "x",
		"expired":                  es(with("exp", c.t.Add(-2*time.Minute).Unix())),
		"without expiry":           es(with("exp", nil)),
		"of the future":            es(with("iat", c.t.Add(10*time.Minute).Unix())),
		"not yet good":             es(with("nbf", c.t.Add(2*time.Minute).Unix())),
		"a time that is none":      es(with("nbf", "never")),
		"another audience":         es(with("aud", "billing")),
		"the login's audience":     es(with("aud", "andmerada")),
		"no audience":              es(with("aud", nil)),
		"another issuer":           es(with("iss", "https://evil.example")),
		"issuer with a slash more": es(with("iss", p.URL+"/")),
		"no issuer":                es(with("iss", nil)),
		"no subject":               es(with("sub", nil)),
		"a long subject":           es(with("sub", strings.Repeat("x", 300))),
		"another key":              signed(t, jose.ES256, other, "k1", good),
		"an unknown key":           signed(t, jose.ES256, other, "k9", good),
		"none":                     b64([]byte(`{"alg":"none"}`)) + "." + b64(payload) + ".",
		"None":                     b64([]byte(`{"alg":"None","kid":"k1"}`)) + "." + b64(payload) + "." + whole[2],
		"none, signed":             b64([]byte(`{"alg":"none","kid":"k1"}`)) + "." + b64(payload) + "." + whole[2],
		"no signature":             whole[0] + "." + whole[1] + ".",
		"other claims":             whole[0] + "." + b64([]byte(strings.Replace(string(payload), "staff", "admin", 1))) + "." + whole[2],
		"the key as a secret":      signed(t, jose.HS256, public, "k1", good),
		"an empty secret":          signed(t, jose.HS256, make([]byte, 32), "", good),
		"too long":                 es(with("x", strings.Repeat("x", maxToken))),
	} {
		p, err := o.Bearer(t.Context(), token)
		if !errors.Is(err, ErrNobody) || p != nil {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if err != nil && (strings.Contains(err.Error(), subject) || len(token) > 10 && strings.Contains(err.Error(), token)) {
			t.Errorf("%s: the error tells of the token: %v", name, err)
		}
	}
	// A key in the token's own header counts for nothing.
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: other}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := jwt.Signed(s).Claims(good).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Bearer(t.Context(), embedded); !errors.Is(err, ErrNobody) {
		t.Errorf("a key of its own: %v", err)
	}
	// Within the skew, and of no group: known, and may ask nothing.
	for name, token := range map[string]string{"just over": es(with("exp", c.t.Add(-30*time.Second).Unix())), "just ahead": es(with("iat", c.t.Add(30*time.Second).Unix()))} {
		if _, err := o.Bearer(t.Context(), token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, claims := range map[string]map[string]any{"no groups": with("groups", nil), "other groups": with("groups", []string{"DPO", "dpo "}), "groups of another form": with("groups", map[string]any{"dpo": true})} {
		who, err := o.Bearer(t.Context(), es(claims))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := Allow(who, Register, Scope{Controller: "acme"}); !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %+v may ask", name, who)
		}
	}
}

func TestKeysAreReplaced(t *testing.T) {
	t.Parallel()
	p := newIssuer(t)
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	o, err := NewOIDC(config(p, c))
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{"iss": p.URL, "sub": "mari", "aud": audience, "exp": c.t.Add(time.Hour).Unix(), "groups": "dpo"}
	old := signed(t, jose.ES256, p.key("k1"), "k1", claims)
	if _, err := o.Bearer(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	fresh := signed(t, jose.ES256, p.newKey("k2"), "k2", claims)
	p.mu.Lock()
	delete(p.keys, "k1")
	p.mu.Unlock()
	c.t = c.t.Add(time.Minute)
	if _, err := o.Bearer(t.Context(), fresh); err != nil {
		t.Errorf("a new key: %v", err)
	}
	if _, err := o.Bearer(t.Context(), old); !errors.Is(err, ErrNobody) {
		t.Errorf("a key that was taken back: %v", err)
	}
	// Key ids that nobody has do not make requests to the provider at will.
	p.mu.Lock()
	before := p.fetched
	p.mu.Unlock()
	forged, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if _, err := o.Bearer(t.Context(), signed(t, jose.ES256, forged, rand.Text(), claims)); !errors.Is(err, ErrNobody) {
			t.Fatal(err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fetched > before+1 {
		t.Errorf("50 forged tokens made %d requests", p.fetched-before)
	}
}

func TestAPersonHimself(t *testing.T) {
	t.Parallel()
	p := newIssuer(t)
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	secret, err := identity.ParseSecret(strings.Repeat("0123456789abcdef", 4))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := identity.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(p, c)
	cfg.Self = &SelfGrant{Claim: "profile.personal_code", Scheme: "personal-code", Controllers: []string{"acme"}}
	cfg.Pseudonym = keys.Pseudonym
	o, err := NewOIDC(cfg)
	if err != nil {
		t.Fatal(err)
	}
	token := signed(t, jose.ES256, p.key("k1"), "k1", map[string]any{
		"iss": p.URL, "sub": "EE" + subject, "aud": audience, "exp": c.t.Add(time.Hour).Unix(), "profile": map[string]any{"personal_code": subject},
	})
	who, err := o.Bearer(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	own, err := keys.Pseudonym("acme", "personal-code", subject)
	if err != nil {
		t.Fatal(err)
	}
	if as, err := Allow(who, Recipients, Scope{"acme", own}); err != nil || as != Agent {
		t.Errorf("oneself: %v, %v", as, err)
	}
	elsewhere, err := keys.Pseudonym("other", "personal-code", subject)
	if err != nil {
		t.Fatal(err)
	}
	for name, scope := range map[string]Scope{"another": {"acme", person(1)}, "nobody": {"acme", identity.Pseudonym{}}, "elsewhere": {"other", elsewhere}} {
		if _, err := Allow(who, Recipients, scope); !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	to := &emitter{}
	if err := NewRecorder(to).Record(t.Context(), &Asked{Who: who, As: Agent, Question: Recipients, Controllers: []string{"acme"}, Person: own}); err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(to.events); err != nil || strings.Contains(string(text), subject) || to.events[0].Actor.ID != "person-"+own.String() {
		t.Errorf("%s, %v", text, err)
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	t.Parallel()
	ok := OIDCConfig{Issuer: "https://login.example", ClientID: "andmerada", RedirectURL: "https://trail.example/login/callback", Grants: []GroupGrant{{"dpo", []Role{DPO}, []string{"*"}}}}
	if _, err := NewOIDC(ok); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*OIDCConfig){
		"issuer must be":       func(c *OIDCConfig) { c.Issuer = "http://login.example" },
		"redirect_url must be": func(c *OIDCConfig) { c.RedirectURL = "http://trail.example/login/callback" },
		"must end in":          func(c *OIDCConfig) { c.RedirectURL = "https://trail.example/" },
		"client_id is missing": func(c *OIDCConfig) { c.ClientID = "" },
		"must differ":          func(c *OIDCConfig) { c.Audience = "andmerada" },
		`algorithm "none"`:     func(c *OIDCConfig) { c.Algorithms = []string{"RS256", "none"} },
		`algorithm "HS256"`:    func(c *OIDCConfig) { c.Algorithms = []string{"HS256"} },
		"gives nobody":         func(c *OIDCConfig) { c.Grants = nil },
		"a grant needs":        func(c *OIDCConfig) { c.Grants[0].Controllers = nil },
		"no group makes":       func(c *OIDCConfig) { c.Grants[0].Roles = []Role{Agent} },
		`no role "king"`:       func(c *OIDCConfig) { c.Grants[0].Roles = []Role{"king"} },
		"self needs":           func(c *OIDCConfig) { c.Self = &SelfGrant{Claim: "x"} },
	} {
		cfg := ok
		cfg.Grants = []GroupGrant{ok.Grants[0]}
		change(&cfg)
		if _, err := NewOIDC(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// A provider that is away is another thing than a token that is bad.
func TestProviderAway(t *testing.T) {
	t.Parallel()
	p := newIssuer(t)
	c := &clock{time.Now()}
	o, err := NewOIDC(config(p, c))
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := o.Bearer(ctx, "x"); err == nil || errors.Is(err, ErrNobody) {
		t.Errorf("%v", err)
	}
}
