package access

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
)

// skew is how far the provider's clock may be from this one.
const skew = time.Minute

const (
	maxToken    = 16 << 10 // bytes of a token
	oidcTimeout = 10 * time.Second
)

// Algorithms are those by which a provider may sign (RFC 7518 §3.1): all with a
// key pair. "none", and those by a secret that both know, are never taken.
var Algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}

// GroupGrant gives roles to those whom the provider says to be in a group.
type GroupGrant struct {
	Group       string   `yaml:"group"`
	Roles       []Role   `yaml:"roles"`
	Controllers []string `yaml:"controllers"`
}

// SelfGrant lets a person ask about himself: whoever logs in with an identifier
// that the controllers know the person by.
type SelfGrant struct {
	Claim       string   `yaml:"claim"`  // that holds the identifier, e.g. "personal_code"
	Scheme      string   `yaml:"scheme"` // of the identifier, e.g. "personal-code"
	Controllers []string `yaml:"controllers"`
}

// OIDCConfig says which provider is believed, and what (OpenID Connect Core 1.0).
type OIDCConfig struct {
	Issuer       string
	ClientID     string
	ClientSecret string   // "" = a public client: PKCE alone
	RedirectURL  string   // of this server, ending in /login/callback
	Scopes       []string // beside openid
	Audience     string   // of access tokens that the API takes; "" = it takes none
	Algorithms   []string // those of them that are taken; RS256 and ES256 if empty
	IDClaim      string   // that names the actor in the trail; "sub" if empty
	GroupsClaim  string   // "groups" if empty; a dot goes a level down
	Grants       []GroupGrant
	Self         *SelfGrant

	// Pseudonym keys the identifier of Self.
	Pseudonym func(controller, scheme, value string) (identity.Pseudonym, error)
	Client    *http.Client // http.DefaultTransport with a timeout if nil
	Now       func() time.Time
	KeysEvery time.Duration // how often keys are fetched at most; 5 s if 0
}

// OIDC tells who people are by an OpenID provider.
type OIDC struct {
	cfg    OIDCConfig
	client *http.Client

	mu       sync.Mutex
	provider *oidc.Provider // nil until it has been reached
	keys     oidc.KeySet
}

// NewOIDC checks the configuration. The provider is asked when it is needed:
// that it is away keeps nobody out who has a session.
func NewOIDC(cfg OIDCConfig) (*OIDC, error) {
	cfg.IDClaim, cfg.GroupsClaim = cmp.Or(cfg.IDClaim, "sub"), cmp.Or(cfg.GroupsClaim, "groups")
	cfg.KeysEvery = cmp.Or(cfg.KeysEvery, 5*time.Second)
	if len(cfg.Algorithms) == 0 {
		cfg.Algorithms = []string{oidc.RS256, oidc.ES256}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: oidcTimeout}
	}
	var errs []error
	for name, address := range map[string]string{"issuer": cfg.Issuer, "redirect_url": cfg.RedirectURL} {
		if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "https" && !isLoopback(u.Hostname()) {
			errs = append(errs, fmt.Errorf("%s must be an https:// address", name))
		}
	}
	if !strings.HasSuffix(cfg.RedirectURL, CallbackPath) {
		errs = append(errs, fmt.Errorf("redirect_url must end in %s", CallbackPath))
	}
	if cfg.ClientID == "" {
		errs = append(errs, errors.New("client_id is missing"))
	}
	if cfg.Audience != "" && cfg.Audience == cfg.ClientID {
		errs = append(errs, errors.New("audience must differ from client_id, or what proves a login would open the API"))
	}
	for _, a := range cfg.Algorithms {
		if !slices.Contains(Algorithms, a) {
			errs = append(errs, fmt.Errorf("algorithm %q is not taken; those are %v", a, Algorithms))
		}
	}
	if len(cfg.Grants) == 0 && cfg.Self == nil {
		errs = append(errs, errors.New("grants gives nobody a role"))
	}
	for _, g := range cfg.Grants {
		if g.Group == "" || len(g.Roles) == 0 || len(g.Controllers) == 0 {
			errs = append(errs, errors.New("a grant needs group, roles and controllers"))
		}
		for _, r := range g.Roles {
			if _, err := ParseRole(string(r)); err != nil {
				errs = append(errs, err)
			}
			if r == Agent {
				errs = append(errs, errors.New("no group makes an agent, as it does not say of whom: use self"))
			}
		}
	}
	if s := cfg.Self; s != nil && (s.Claim == "" || s.Scheme == "" || len(s.Controllers) == 0 || slices.Contains(s.Controllers, Everyone) || cfg.Pseudonym == nil) {
		errs = append(errs, errors.New("self needs claim, scheme and controllers by name"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("OpenID Connect: %w", err)
	}
	limited := *cfg.Client
	limited.Transport = &seldom{next: cmp.Or[http.RoundTripper](cfg.Client.Transport, http.DefaultTransport), every: cfg.KeysEvery, now: cfg.Now}
	return &OIDC{cfg: cfg, client: &limited}, nil
}

// seldom lets keys be fetched only so often: each forged token with a key id of
// its own would otherwise be a request to the provider.
type seldom struct {
	next  http.RoundTripper
	every time.Duration
	now   func() time.Time

	mu   sync.Mutex
	last map[string]time.Time
}

// RoundTrip asks, or says that it has just asked.
func (s *seldom) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && r.Header.Get("Authorization") == "" {
		s.mu.Lock()
		now := s.now()
		if last, asked := s.last[r.URL.Path]; asked && now.Sub(last) < s.every && !now.Before(last) {
			s.mu.Unlock()
			return nil, errors.New("the provider was asked just now")
		}
		if s.last == nil {
			s.last = make(map[string]time.Time)
		}
		s.last[r.URL.Path] = now
		s.mu.Unlock()
	}
	return s.next.RoundTrip(r)
}

// reach finds the provider's endpoints and keys, once.
func (o *OIDC) reach(ctx context.Context) (*oidc.Provider, oidc.KeySet, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider != nil {
		return o.provider, o.keys, nil
	}
	// The provider keeps the context's client, not its end.
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, o.client), o.cfg.Issuer)
	if err != nil {
		return nil, nil, fmt.Errorf("reach the OpenID provider: %w", err)
	}
	var found struct {
		Keys string `json:"jwks_uri"`
	}
	if err := p.Claims(&found); err != nil {
		return nil, nil, fmt.Errorf("read what the OpenID provider says of itself: %w", err)
	}
	o.provider, o.keys = p, oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), o.client), found.Keys)
	return o.provider, o.keys, nil
}

func (o *OIDC) oauth(p *oidc.Provider) *oauth2.Config {
	scopes := append([]string{oidc.ScopeOpenID}, o.cfg.Scopes...)
	return &oauth2.Config{ClientID: o.cfg.ClientID, ClientSecret: o.cfg.ClientSecret, RedirectURL: o.cfg.RedirectURL, Endpoint: p.Endpoint(), Scopes: scopes}
}

// Secure says whether people reach this server by TLS.
func (o *OIDC) Secure() bool { return strings.HasPrefix(o.cfg.RedirectURL, "https:") }

// pending is a login under way; the browser brings it back, sealed.
type pending struct {
	State, Nonce, Verifier, Return string
	Until                          time.Time
}

// begin is where to send the browser.
func (o *OIDC) begin(ctx context.Context, p *pending) (string, error) {
	provider, _, err := o.reach(ctx)
	if err != nil {
		return "", err
	}
	return o.oauth(provider).AuthCodeURL(p.State, oidc.Nonce(p.Nonce), oauth2.S256ChallengeOption(p.Verifier)), nil
}

// finish exchanges the code for what the provider says of the person.
func (o *OIDC) finish(ctx context.Context, p *pending, code string) (*Principal, error) {
	provider, keys, err := o.reach(ctx)
	if err != nil {
		return nil, err
	}
	ctx = oidc.ClientContext(ctx, o.client)
	token, err := o.oauth(provider).Exchange(ctx, code, oauth2.VerifierOption(p.Verifier))
	if err != nil {
		return nil, fmt.Errorf("exchange the code of a login: %w", discreet(err))
	}
	raw, _ := token.Extra("id_token").(string)
	claims, nonce, err := o.verify(ctx, keys, o.cfg.ClientID, raw)
	if err != nil {
		return nil, fmt.Errorf("read who has logged in: %w", err)
	}
	if nonce == "" || nonce != p.Nonce {
		return nil, errors.New("the provider's answer is to another login")
	}
	// Many providers put groups only into what they tell on asking.
	if _, there := find(claims, o.cfg.GroupsClaim); !there && provider.UserInfoEndpoint() != "" {
		info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			return nil, fmt.Errorf("ask the provider about the user: %w", discreet(err))
		}
		more := make(map[string]any)
		if err := info.Claims(&more); err != nil {
			return nil, errors.New("ask the provider about the user: the answer cannot be read")
		}
		if info.Subject != text(claims, "sub") {
			return nil, errors.New("ask the provider about the user: it told of another")
		}
		for name, value := range more {
			if _, there := claims[name]; !there {
				claims[name] = value
			}
		}
	}
	return o.principal(claims)
}

// discreet keeps an answer of the provider, which may hold anything, out of
// errors.
func discreet(err error) error {
	if e := new(oauth2.RetrieveError); errors.As(err, &e) {
		return fmt.Errorf("the provider refused it (%s)", cmp.Or(e.ErrorCode, "it gave no code"))
	}
	if e := new(url.Error); errors.As(err, &e) {
		return e.Err // its address may hold what was sent
	}
	return errors.New("the provider's answer was not as it should be")
}

// Bearer is whose access token it is (RFC 6750, RFC 9068), or ErrNobody.
func (o *OIDC) Bearer(ctx context.Context, raw string) (*Principal, error) {
	if o.cfg.Audience == "" {
		return nil, ErrNobody
	}
	_, keys, err := o.reach(ctx)
	if err != nil {
		return nil, err
	}
	claims, _, err := o.verify(oidc.ClientContext(ctx, o.client), keys, o.cfg.Audience, raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNobody, err)
	}
	p, err := o.principal(claims)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNobody, err)
	}
	return p, nil
}

// verify checks issuer, audience, times, algorithm and signature.
func (o *OIDC) verify(ctx context.Context, keys oidc.KeySet, audience, raw string) (claims map[string]any, nonce string, err error) {
	if raw == "" || len(raw) > maxToken {
		return nil, "", errors.New("there is no token, or it is too long")
	}
	now := o.cfg.Now()
	v := oidc.NewVerifier(o.cfg.Issuer, keys, &oidc.Config{
		ClientID: audience, SupportedSigningAlgs: o.cfg.Algorithms, Now: func() time.Time { return now.Add(-skew) },
	})
	token, err := v.Verify(ctx, raw)
	if err != nil {
		// The library's errors quote the token's claims.
		return nil, "", errors.New("the token's issuer, audience, time, algorithm or signature is wrong")
	}
	if err := token.Claims(&claims); err != nil {
		return nil, "", errors.New("the token's claims cannot be read")
	}
	for _, name := range []string{"iat", "nbf"} {
		if at, there := claims[name]; there {
			if seconds, ok := at.(float64); !ok || seconds > float64(now.Add(skew).Unix()) {
				return nil, "", errors.New("the token is of a time to come")
			}
		}
	}
	return claims, token.Nonce, nil
}

// principal maps claims to roles and controllers.
func (o *OIDC) principal(claims map[string]any) (*Principal, error) {
	p := &Principal{ID: text(claims, o.cfg.IDClaim), Name: cmp.Or(text(claims, "name"), text(claims, "preferred_username"))}
	groups := texts(claims, o.cfg.GroupsClaim)
	for _, g := range o.cfg.Grants {
		if slices.Contains(groups, g.Group) {
			p.Grants = append(p.Grants, grants(g.Roles, g.Controllers)...)
		}
	}
	if s := o.cfg.Self; s != nil && len(p.Grants) == 0 {
		if value := text(claims, s.Claim); value != "" && len(value) <= event.MaxIdentifier {
			p.Grants = grants([]Role{Agent}, s.Controllers)
			p.Self = func(controller string) (identity.Pseudonym, error) {
				return o.cfg.Pseudonym(controller, s.Scheme, value)
			}
			p.ID = "person" // the recorder writes the pseudonym
		}
	}
	if p.ID == "" || len(p.ID) > event.MaxID {
		return nil, fmt.Errorf("the token does not name the user in %q", o.cfg.IDClaim)
	}
	return p, nil
}

// find goes down a path of claims: realm_access.roles.
func find(claims map[string]any, path string) (any, bool) {
	if v, there := claims[path]; there {
		return v, true // a claim's name may have dots in it
	}
	head, rest, more := strings.Cut(path, ".")
	below, ok := claims[head].(map[string]any)
	if !more || !ok {
		return nil, false
	}
	return find(below, rest)
}

func text(claims map[string]any, path string) string {
	v, _ := find(claims, path)
	s, _ := v.(string)
	return s
}

func texts(claims map[string]any, path string) (all []string) {
	v, _ := find(claims, path)
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, x := range v {
			if s, ok := x.(string); ok {
				all = append(all, s)
			}
		}
	}
	return all
}

func encodePending(p *pending) ([]byte, error) { return json.Marshal(p) }
