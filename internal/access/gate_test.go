package access

import (
	"crypto/sha256"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestCookies(t *testing.T) {
	t.Parallel()
	for redirect, want := range map[string]string{
		"https://trail.example/login/callback":     "__Host-andmerada-session=x; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax",
		"http://127.0.0.1:8080/login/callback":     "andmerada-session=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
		"https://trail.example/sub/login/callback": "__Host-andmerada-session=x; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax",
	} {
		g := &Gate{OIDC: &OIDC{cfg: OIDCConfig{RedirectURL: redirect}}}
		w := httptest.NewRecorder()
		g.setCookie(w, "session", "x", time.Minute)
		if got := w.Header().Get("Set-Cookie"); got != want {
			t.Errorf("%s: %s", redirect, got)
		}
	}
}

// What is shown must be good; nothing else makes up for it.
func TestABadTokenIsNotMadeUpFor(t *testing.T) {
	t.Parallel()
	g := &Gate{Open: Open()}
	for _, shown := range [][]string{{"Bearer x"}, {"Bearer " + TokenPrefix + "x"}, {"Basic eDp5"}, {"Bearer"}, {""}, {"Bearer x", "Bearer y"}} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"] = shown
		if p, err := g.Who(httptest.NewRecorder(), r); err == nil {
			t.Errorf("%q: %+v", shown, p)
		}
	}
	if p, err := g.Who(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)); err != nil || !p.Open {
		t.Errorf("nothing shown: %+v, %v", p, err)
	}
	if p, err := new(Gate).Who(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)); err == nil {
		t.Errorf("a gate that nobody has set up: %+v", p)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	c := &clock{time.Now()}
	g := &Gate{Now: c.now}
	var first, last string
	for i := range maxSessions + 10 {
		c.t = c.t.Add(time.Millisecond)
		last = g.remember(&session{principal: Principal{ID: "x"}, began: c.t, seen: c.t})
		if i == 0 {
			first = last
		}
	}
	has := func(id string) bool { return g.sessions[sha256.Sum256([]byte(id))] != nil }
	if len(g.sessions) != maxSessions || has(first) || !has(last) {
		t.Errorf("%d sessions, the first %v, the last %v", len(g.sessions), has(first), has(last))
	}
	for id := range g.sessions {
		if strings.Contains(string(id[:]), last) {
			t.Error("the id itself is kept")
		}
	}
}

func TestCheckOpen(t *testing.T) {
	t.Parallel()
	for addr, ok := range map[string]bool{
		"127.0.0.1:8080": true, "[::1]:8080": true, "127.9.9.9:1": true, "localhost:80": true,
		"0.0.0.0:8080": false, "[::]:8080": false, ":8080": false, "192.0.2.1:8080": false, "": false, "localhost.evil.example:80": false,
	} {
		if err := CheckOpen(addr); (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
