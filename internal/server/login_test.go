package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/andmerada/andmerada/internal/access"
)

// groups puts the claim groups into what the provider tells of a user on asking.
type groups struct {
	*storage.Storage
	of map[string][]string
}

func (g groups) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	if err := g.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin); err != nil {
		return err
	}
	info.AppendClaims("groups", g.of[subject])
	return nil
}

// later is a handler that is set after its address is known.
type later struct {
	mu sync.Mutex
	h  http.Handler
}

func (l *later) set(h http.Handler) { l.mu.Lock(); defer l.mu.Unlock(); l.h = h }

func (l *later) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	h := l.h
	l.mu.Unlock()
	h.ServeHTTP(w, r)
}

// moving is a clock that tests move.
type moving struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (m *moving) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.ahead)
}

func (m *moving) move(d time.Duration) { m.mu.Lock(); defer m.mu.Unlock(); m.ahead += d }

// provider runs an OpenID provider with the users test-user@127.0.0.1, who is in
// the group dpo, and test-user2, who is in none. Both have the same password.
func provider(t *testing.T, redirect string) (issuer string) {
	t.Helper()
	h := &later{}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	users := storage.NewUserStore(s.URL)
	store := storage.NewStorageWithClients(users, map[string]*storage.Client{"andmerada": storage.WebClient("andmerada", "secret", redirect)})
	h.set(exampleop.SetupServer(s.URL, groups{store, map[string][]string{"id1": {"dpo"}}}, nil, false))
	return s.URL
}

type browser struct {
	t *testing.T
	*http.Client
	url string
}

// withLogin starts a server that people log in to.
func withLogin(t *testing.T) (*fixture, *moving) {
	t.Helper()
	clock := &moving{}
	front := &later{}
	s := httptest.NewServer(front)
	t.Cleanup(s.Close)
	redirect := s.URL + access.CallbackPath
	issuer := provider(t, redirect)
	o, err := access.NewOIDC(access.OIDCConfig{
		Issuer: issuer, ClientID: "andmerada", ClientSecret: "secret", RedirectURL: redirect, Scopes: []string{"profile"},
		Grants: []access.GroupGrant{{Group: "dpo", Roles: []access.Role{access.DPO}, Controllers: []string{"acme"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, func(c *Config) {
		c.Access = &access.Gate{OIDC: o, Now: clock.now}
		front.set(New(*c))
	})
	f.url = s.URL
	return f, clock
}

func newBrowser(t *testing.T, f *fixture) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar}, f.url}
}

func (b *browser) read(res *http.Response, err error) response {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response{res, string(text)}
}

func (b *browser) get(path string) response { return b.read(b.Get(b.url + path)) }

var loginID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// login fills in the provider's form, to which a page has led.
func (b *browser) login(page response, user string) response {
	b.t.Helper()
	id := loginID.FindStringSubmatch(page.text)
	if id == nil {
		b.t.Fatalf("this is no login form: %d %s", page.StatusCode, page.text)
	}
	return b.read(b.PostForm(page.Request.URL.Scheme+"://"+page.Request.URL.Host+"/login/username", url.Values{"id": {id[1]}, "username": {user}, "password": {"verysecure"}}))
}

func (b *browser) cookies() map[string]string {
	u, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	all := make(map[string]string)
	for _, c := range b.Jar.Cookies(u) {
		all[c.Name] = c.Value
	}
	return all
}

func TestLogin(t *testing.T) {
	t.Parallel()
	f, clock := withLogin(t)
	b := newBrowser(t, f)
	// Sent to the provider, and back to the page that was asked for.
	page := b.login(b.get("/drift"), "test-user@127.0.0.1")
	if page.StatusCode != 200 || page.Request.URL.Path != "/drift" || !strings.Contains(page.text, "Test User (dpo)") || !strings.Contains(page.text, "Post24 OÜ") {
		t.Fatalf("%d %s %s", page.StatusCode, page.Request.URL, page.text)
	}
	asked := f.emitted.take()
	if len(asked) != 1 || asked[0].Actor.ID != "id1" || asked[0].Actor.Role != "dpo" || asked[0].Controller != "acme" {
		t.Fatalf("recorded: %+v", asked)
	}
	if strings.Contains(page.text, "Nobody has to log in") {
		t.Error("the page calls itself open")
	}
	session := b.cookies()["andmerada-session"]
	if session == "" || b.cookies()["andmerada-login"] != "" {
		t.Fatalf("cookies: %v", b.cookies())
	}
	// The id of a session is replaced now and then; the old one ends soon after.
	clock.move(11 * time.Minute)
	if res := b.get("/"); res.StatusCode != 200 || b.cookies()["andmerada-session"] == session {
		t.Errorf("%d: the session keeps its id", res.StatusCode)
	}
	old := func() response {
		return f.do("GET", "/v1/overview?controller=acme", "", "", "Cookie", "andmerada-session="+session)
	}
	if res := old(); res.StatusCode != 200 {
		t.Errorf("a request under way with the id before: %d", res.StatusCode)
	}
	clock.move(time.Minute)
	if res := old(); res.StatusCode != 401 {
		t.Errorf("the id before, a minute later: %d", res.StatusCode)
	}
	// Logging out ends it for whoever has kept the cookie, too.
	session = b.cookies()["andmerada-session"]
	if res := b.read(b.PostForm(f.url+"/logout", nil)); res.StatusCode != 200 || b.cookies()["andmerada-session"] != "" {
		t.Errorf("%d, %v", res.StatusCode, b.cookies())
	}
	if res := old(); res.StatusCode != 401 {
		t.Errorf("after logging out: %d", res.StatusCode)
	}
	if strings.Contains(f.logs.String(), session) || strings.Contains(f.logs.String(), "code=") {
		t.Errorf("the log tells what must not be told:\n%s", f.logs)
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	f, clock := withLogin(t)
	b := newBrowser(t, f)
	b.login(b.get("/"), "test-user@127.0.0.1")
	clock.move(29 * time.Minute)
	if res := b.get("/"); res.Request.URL.Path != "/" {
		t.Fatalf("in use: %s", res.Request.URL)
	}
	clock.move(31 * time.Minute)
	if res := b.get("/"); !loginID.MatchString(res.text) {
		t.Errorf("idle for half an hour: %d %s", res.StatusCode, res.Request.URL)
	}
	b.login(b.get("/"), "test-user@127.0.0.1")
	for range 8 * 3 {
		clock.move(20 * time.Minute)
		b.get("/register/acme")
	}
	if res := b.get("/"); !loginID.MatchString(res.text) {
		t.Errorf("after eight hours: %d %s", res.StatusCode, res.Request.URL)
	}
}

// Someone whom the provider knows and nobody has given a role may ask nothing.
func TestLoginWithoutARole(t *testing.T) {
	t.Parallel()
	f, _ := withLogin(t)
	b := newBrowser(t, f)
	page := b.login(b.get("/"), "test-user2")
	if page.StatusCode != 403 || !strings.Contains(page.text, "Log out") || strings.Contains(page.text, "acme") {
		t.Errorf("%d %s", page.StatusCode, page.text)
	}
	for _, path := range []string{"/drift", "/events/andmerada.events/0/2", "/register/acme"} {
		if res := b.get(path); res.StatusCode != 403 {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	if asked := f.emitted.take(); len(asked) > 0 {
		t.Errorf("recorded: %+v", asked)
	}
}

// A login ends in the browser that began it, once, and as it was begun.
func TestForgedLogins(t *testing.T) {
	t.Parallel()
	f, clock := withLogin(t)
	stop := errors.New("stop")
	// callback goes as far as the provider's redirect back.
	callback := func(b *browser) *url.URL {
		var to *url.URL
		b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if r.URL.Path == access.CallbackPath {
				to = r.URL
				return stop
			}
			return nil
		}
		page := b.get("/")
		id := loginID.FindStringSubmatch(page.text)
		_, err := b.PostForm(page.Request.URL.Scheme+"://"+page.Request.URL.Host+"/login/username", url.Values{"id": {id[1]}, "username": {"test-user@127.0.0.1"}, "password": {"verysecure"}}) //nolint:bodyclose // it ends in an error, without a body
		if !errors.Is(err, stop) || to == nil {
			t.Fatalf("no way back: %v", err)
		}
		b.CheckRedirect = nil
		return to
	}
	change := func(u *url.URL, name, value string) string {
		q := u.Query()
		q.Set(name, value)
		return access.CallbackPath + "?" + q.Encode()
	}
	victim, attacker := newBrowser(t, f), newBrowser(t, f)
	theirs, own := callback(attacker), callback(victim)
	for name, c := range map[string]struct {
		b    *browser
		path string
	}{
		"another's login, in a browser without one": {newBrowser(t, f), theirs.RequestURI()},
		"another state": {newBrowser(t, f), change(own, "state", "x")},
		"no code":       {attacker, change(theirs, "code", "")},
	} {
		if res := c.b.get(c.path); res.StatusCode != 401 || c.b.cookies()["andmerada-session"] != "" {
			t.Errorf("%s: %d, %v", name, res.StatusCode, c.b.cookies())
		}
	}
	// The attacker's code in the victim's browser: logging someone in as oneself.
	if res := victim.get(theirs.RequestURI()); res.StatusCode != 401 || victim.cookies()["andmerada-session"] != "" {
		t.Errorf("another's login: %d", res.StatusCode)
	}
	// Its own code with the other's state is no use either: the cookie is spent.
	if res := victim.get(own.RequestURI()); res.StatusCode != 401 {
		t.Errorf("a login that was broken off: %d", res.StatusCode)
	}
	slow := newBrowser(t, f)
	to := callback(slow)
	clock.move(11 * time.Minute)
	if res := slow.get(to.RequestURI()); res.StatusCode != 401 {
		t.Errorf("a login of eleven minutes: %d", res.StatusCode)
	}
	once := newBrowser(t, f)
	to = callback(once)
	if res := once.get(to.RequestURI()); res.StatusCode != 200 || once.cookies()["andmerada-session"] == "" {
		t.Fatalf("as it should be: %d", res.StatusCode)
	}
	if res := once.get(to.RequestURI()); res.StatusCode != 401 {
		t.Errorf("the same once more: %d", res.StatusCode)
	}
	// Afterwards it goes to pages of this server only.
	for _, back := range []string{"https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/%0d%0aSet-Cookie:x=y"} {
		b := newBrowser(t, f)
		page := b.login(b.get("/login?back="+url.QueryEscape(back)), "test-user@127.0.0.1")
		if page.Request.URL.Host != strings.TrimPrefix(f.url, "http://") {
			t.Errorf("back=%s leads to %s", back, page.Request.URL)
		}
	}
}
