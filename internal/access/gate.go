package access

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// CallbackPath is where the provider sends browsers back to.
const CallbackPath = "/login/callback"

// How long things hold.
const (
	loginTime   = 10 * time.Minute // from the first step of a login to the last
	sessionTime = 8 * time.Hour    // a session in all
	idleTime    = 30 * time.Minute // a session without a request
	renewAfter  = 10 * time.Minute // the id of a session
	overlap     = 30 * time.Second // of the old id with the new one, for requests under way
	maxSessions = 10_000
)

// Gate tells who a request comes from. The zero value lets nobody in.
type Gate struct {
	// Open, if set, is who everyone is that shows nothing: the demo.
	Open   *Principal
	Tokens *Tokens // nil = no local tokens
	OIDC   *OIDC   // nil = no logins
	Now    func() time.Time

	mu       sync.Mutex
	sessions map[[sha256.Size]byte]*session
	seal     cipher.AEAD
}

type session struct {
	principal          Principal
	began, seen, named time.Time // named: when it got its id
	until              time.Time // of an id that was replaced; zero = in use
}

func (g *Gate) now() time.Time {
	if g.Now == nil {
		return time.Now()
	}
	return g.Now()
}

// Who is whoever the request comes from. An error is ErrNobody, or says why that
// cannot be told now. What is shown must be good: a bad token is not made up for
// by a session, nor by an open gate. It may set a cookie.
func (g *Gate) Who(w http.ResponseWriter, r *http.Request) (*Principal, error) {
	if shown := r.Header.Values("Authorization"); len(shown) > 0 {
		scheme, token, _ := strings.Cut(shown[0], " ")
		switch {
		case len(shown) > 1 || !strings.EqualFold(scheme, "Bearer"):
			return nil, ErrNobody
		case strings.HasPrefix(token, TokenPrefix) && g.Tokens != nil:
			return g.Tokens.Principal(token)
		case g.OIDC != nil:
			return g.OIDC.Bearer(r.Context(), token)
		}
		return nil, ErrNobody
	}
	if g.OIDC != nil {
		if c, err := r.Cookie(g.cookie("session")); err == nil {
			if p := g.resume(w, c.Value); p != nil {
				return p, nil
			}
		}
	}
	if g.Open != nil {
		return g.Open, nil
	}
	return nil, ErrNobody
}

// Logins says whether people can log in.
func (g *Gate) Logins() bool { return g.OIDC != nil }

func (g *Gate) cookie(name string) string {
	if g.OIDC.Secure() {
		return "__Host-andmerada-" + name // RFC 6265bis §4.1.3.2: only by TLS, only from this host
	}
	return "andmerada-" + name
}

func (g *Gate) setCookie(w http.ResponseWriter, name, value string, age time.Duration) {
	c := &http.Cookie{
		Name: g.cookie(name), Value: value, Path: "/", MaxAge: int(age / time.Second),
		Secure: g.OIDC.Secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if age == 0 {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// Login begins a login: it sets a cookie and gives the provider's address. back
// is the page to go to afterwards.
func (g *Gate) Login(w http.ResponseWriter, r *http.Request, back string) (string, error) {
	if g.OIDC == nil {
		return "", ErrNobody
	}
	p := &pending{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Return: localPath(back), Until: g.now().Add(loginTime)}
	to, err := g.OIDC.begin(r.Context(), p)
	if err != nil {
		return "", err
	}
	sealed, err := g.sealed(p)
	if err != nil {
		return "", err
	}
	g.setCookie(w, "login", sealed, loginTime)
	return to, nil
}

// Callback ends a login: it sets the cookie of a new session, whatever session
// there was, and says where to go on.
func (g *Gate) Callback(w http.ResponseWriter, r *http.Request) (back string, err error) {
	if g.OIDC == nil {
		return "", ErrNobody
	}
	c, err := r.Cookie(g.cookie("login"))
	if err != nil {
		return "", fmt.Errorf("%w: no login was begun in this browser", ErrNobody)
	}
	g.setCookie(w, "login", "", 0)
	p, err := g.opened(c.Value)
	if err != nil {
		return "", err
	}
	query := r.URL.Query()
	switch {
	case !g.now().Before(p.Until):
		return "", fmt.Errorf("%w: the login took too long", ErrNobody)
	case query.Get("state") != p.State:
		return "", fmt.Errorf("%w: this is the end of another login", ErrNobody)
	case query.Get("error") != "":
		return "", fmt.Errorf("%w: the provider did not let the user in", ErrNobody)
	case query.Get("iss") != "" && query.Get("iss") != g.OIDC.cfg.Issuer: // RFC 9207
		return "", fmt.Errorf("%w: another provider answers", ErrNobody)
	}
	who, err := g.OIDC.finish(r.Context(), p, query.Get("code"))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNobody, err)
	}
	if old, err := r.Cookie(g.cookie("session")); err == nil {
		g.forget(old.Value)
	}
	now := g.now()
	g.setCookie(w, "session", g.remember(&session{principal: *who, began: now, seen: now}), sessionTime)
	return p.Return, nil
}

// Logout ends the session, if there is one.
func (g *Gate) Logout(w http.ResponseWriter, r *http.Request) {
	if g.OIDC == nil {
		return
	}
	if c, err := r.Cookie(g.cookie("session")); err == nil {
		g.forget(c.Value)
	}
	g.setCookie(w, "session", "", 0)
}

// remember keeps a session under the hash of a new id: whoever reads this
// memory cannot take a session over.
func (g *Gate) remember(s *session) (id string) {
	id = rand.Text() + rand.Text()
	g.mu.Lock()
	defer g.mu.Unlock()
	s.named = g.now()
	if g.sessions == nil {
		g.sessions = make(map[[sha256.Size]byte]*session)
	}
	if len(g.sessions) >= maxSessions {
		g.sweep()
	}
	g.sessions[sha256.Sum256([]byte(id))] = s
	return id
}

// sweep drops what is over, and if nothing is, whatever was idle longest.
func (g *Gate) sweep() {
	var idle [sha256.Size]byte
	var since time.Time
	for id, s := range g.sessions {
		if g.over(s) {
			delete(g.sessions, id)
		} else if since.IsZero() || s.seen.Before(since) {
			idle, since = id, s.seen
		}
	}
	if len(g.sessions) >= maxSessions {
		delete(g.sessions, idle)
	}
}

func (g *Gate) over(s *session) bool {
	now := g.now()
	return now.Sub(s.began) >= sessionTime || now.Sub(s.seen) >= idleTime || !s.until.IsZero() && !now.Before(s.until)
}

func (g *Gate) forget(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	gone := g.sessions[sha256.Sum256([]byte(id))]
	for key, s := range g.sessions { // under its other id too
		if gone != nil && s.began.Equal(gone.began) && s.principal.session == gone.principal.session {
			delete(g.sessions, key)
		}
	}
}

// resume is whose session it is, nil if it is no more. Now and then the id is
// replaced.
func (g *Gate) resume(w http.ResponseWriter, id string) *Principal {
	key := sha256.Sum256([]byte(id))
	g.mu.Lock()
	s := g.sessions[key]
	if s == nil || g.over(s) {
		delete(g.sessions, key)
		g.mu.Unlock()
		return nil
	}
	now := g.now()
	s.seen = now
	if s.principal.session == "" {
		s.principal.session = rand.Text()
	}
	p := s.principal
	var next *session
	if s.until.IsZero() && now.Sub(s.named) >= renewAfter {
		next = &session{principal: p, began: s.began, seen: now}
		s.until = now.Add(overlap)
	}
	g.mu.Unlock()
	if next != nil {
		g.setCookie(w, "session", g.remember(next), sessionTime-now.Sub(next.began))
	}
	return &p
}

// sealed is a login under way as a cookie: nothing is kept here, so that nobody
// fills memory by beginning logins.
func (g *Gate) sealed(p *pending) (string, error) {
	plain, err := encodePending(p)
	if err != nil {
		return "", fmt.Errorf("seal a login: %w", err)
	}
	aead, err := g.aead()
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nil, nil, plain, []byte("login"))), nil
}

func (g *Gate) opened(text string) (*pending, error) {
	aead, err := g.aead()
	if err != nil {
		return nil, err
	}
	bad := fmt.Errorf("%w: the login was begun elsewhere, or before a restart", ErrNobody)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, bad
	}
	plain, err := aead.Open(nil, nil, raw, []byte("login"))
	p := new(pending)
	if err != nil || json.Unmarshal(plain, p) != nil {
		return nil, bad
	}
	return p, nil
}

// aead has a key of this process's own.
func (g *Gate) aead() (cipher.AEAD, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.seal == nil {
		key := make([]byte, 32)
		rand.Read(key)
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("seal a login: %w", err)
		}
		if g.seal, err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, fmt.Errorf("seal a login: %w", err)
		}
	}
	return g.seal, nil
}

// localPath is the page of this server that a login goes back to; the first
// page for anything else.
func localPath(back string) string {
	u, err := url.Parse(back)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") ||
		strings.ContainsAny(back, "\\\r\n\t") || len(back) > 512 {
		return "/"
	}
	return back
}

// Open is whoever asks where nobody logs in: as data protection officer, about
// all controllers.
func Open() *Principal {
	return &Principal{ID: "nobody-in-particular", Name: "anyone", Open: true, Grants: []Grant{{DPO, []string{Everyone}}}}
}

// ErrOpen says that a server would let anybody in.
var ErrOpen = errors.New("whoever reaches this address could ask anything")

// CheckOpen refuses an address at which other machines would come unasked.
func CheckOpen(addr string) error {
	if host, _, err := net.SplitHostPort(addr); err == nil && isLoopback(host) {
		return nil
	}
	return fmt.Errorf("%w: %s is not loopback, and nobody has to log in", ErrOpen, addr)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

type contextKey struct{}

// With is a context that says who asks.
func With(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// From is who asks; nil if the context does not say.
func From(ctx context.Context) *Principal {
	p, _ := ctx.Value(contextKey{}).(*Principal)
	return p
}
