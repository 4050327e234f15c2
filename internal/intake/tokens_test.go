package intake_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/intake"
	"github.com/andmerada/andmerada/internal/secure/securetest"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, nil)
	_, sum := intake.NewToken()
	for _, header := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Basic " + w.token, w.token, "Bearer " + w.token + "x", "Bearer " + strings.ToUpper(w.token), "Bearer " + sum} {
		r := w.post(t, structured, sample("1"), "Authorization", header)
		r.wantFault(t, http.StatusUnauthorized, "unknown-token")
		if !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("header %v", r.header)
		}
	}
	w.written(t, 0)
}

// TestTokensAreReadAgain revokes and adds while the intake runs.
func TestTokensAreReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, nil)
	w.post(t, structured, sample("1")).want(t, http.StatusAccepted, 1, 0)
	until := func(status int) {
		t.Helper()
		for range 500 {
			if r := w.post(t, structured, sample("1")); r.status == status {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("it is never answered with %d", status)
	}
	good, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	w.writeTokens(t, "sources: []\n")
	until(http.StatusUnauthorized)
	w.writeTokens(t, string(good))
	until(http.StatusOK)
	// A broken file changes nothing, and is named once.
	w.writeTokens(t, "sources: [{name: "+w.token+"}]\n")
	time.Sleep(1100 * time.Millisecond)
	for range 3 {
		w.post(t, structured, sample("1")).want(t, http.StatusOK, 0, 1)
	}
	if n := strings.Count(w.log.String(), "cannot be read again"); n != 1 {
		t.Errorf("the log names it %d times", n)
	}
	w.writeTokens(t, strings.Replace(string(good), "controllers:", "expires: 2020-01-01\n  controllers:", 1))
	until(http.StatusUnauthorized)
	if r := w.post(t, structured, sample("1")); !strings.Contains(r.Detail, "expired") {
		t.Errorf("%s", r.text)
	}
}

func TestFilesOfTokensThatDoNotCheck(t *testing.T) {
	t.Parallel()
	const secret = "andmerada_intake_secret"
	_, sum := intake.NewToken()
	rest := ", token_sha256: " + sum + ", sources: [/a], controllers: [x]}"
	for _, c := range []struct{ entries, want string }{
		{"[{name: a, token_sha256: " + secret + ", sources: [/a], controllers: [x]}]", "never the token"},
		{"[{token_sha256: " + sum + ", sources: [/a], controllers: [x]}]", "name"},
		{"[{name: " + secret + rest + ", {name: " + secret + rest + "]", "named by its token"},
		{"[{name: a b" + rest + "]", "name"},
		{"[{name: a, sources: [/a], controllers: [x]}]", "lacks token_sha256, or certificate"},
		{"[{name: a, certificate: x, controllers: [x]}]", "sources"},
		{"[{name: a, certificate: x, sources: [''], controllers: [x]}]", "sources"},
		{"[{name: a, certificate: x, sources: [/a]}]", "controllers"},
		{"[{name: a, events_per_second: -1" + rest + "]", "negative"},
		{"[{name: a" + rest + ", {name: b" + rest + "]", "twice"},
		{"[{name: a" + rest + ", {name: a, certificate: x, sources: [/a], controllers: [x]}]", "twice"},
		{"[{name: a, token: " + secret + rest + "]", "unknown field"},
		{"[{name: a, expires: soon" + rest + "]", "neither a day"},
	} {
		file := filepath.Join(t.TempDir(), "tokens.yaml")
		if err := os.WriteFile(file, []byte("sources: "+c.entries), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := intake.LoadTokens(file, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: error %v, want %q", c.entries, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error has the token: %v", err)
		}
	}
	if _, err := intake.LoadTokens(filepath.Join(t.TempDir(), "none"), nil); err == nil {
		t.Error("a file that is not there is taken")
	}
}

func TestEntry(t *testing.T) {
	t.Parallel()
	token, sum := intake.NewToken()
	if other, _ := intake.NewToken(); other == token || len(token) < 50 {
		t.Fatalf("token %q", token)
	}
	text, err := intake.Entry(intake.Source{Name: "a", Token: sum, Sources: []string{"urn:x:"}, Controllers: []string{"*"}, Expires: "2099-01-01"})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "tokens.yaml")
	if err := os.WriteFile(file, []byte("sources:\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens, err := intake.LoadTokens(file, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	s, err := tokens.Authenticate(&http.Request{Header: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil || s.Name != "a" || s.Expires != "2099-01-01" {
		t.Errorf("%+v: %v\n%s", s, err, text)
	}
	if strings.Contains(text, token) {
		t.Errorf("the entry has the token: %s", text)
	}
	if _, err := intake.Entry(intake.Source{Name: "a"}); err == nil {
		t.Error("an entry that does not check is written")
	}
}

// TestCertificates lets a source in by its certificate, over real TLS.
func TestCertificates(t *testing.T) {
	t.Parallel()
	ca, other := securetest.NewCA(t), securetest.NewCA(t)
	server, client, stranger, foreign := ca.Issue(t, time.Hour, "127.0.0.1"), ca.Issue(t, time.Hour, "billing.example.org"), ca.Issue(t, time.Hour, "crm.example.org"), other.Issue(t, time.Hour, "billing.example.org")
	w := newWorld(t, nil, nil)
	w.writeTokens(t, "sources: [{name: by-certificate, certificate: billing.example.org, sources: [/netpro/billing], controllers: [netpro]}]\n")
	tokens, err := intake.LoadTokens(w.file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w.in.Authenticate = tokens.Authenticate
	config, err := intake.ServerTLS(intake.TLSFiles{Cert: server.Cert, Key: server.Key, ClientCA: ca.File})
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: w.in, ErrorLog: slog.NewLogLogger(slog.NewTextHandler(w.log, nil), slog.LevelInfo)}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	post := func(p *securetest.Pair, id string) (int, error) {
		c := &tls.Config{RootCAs: ca.Pool()}
		if p != nil {
			pair, err := tls.LoadX509KeyPair(p.Cert, p.Key)
			if err != nil {
				t.Fatal(err)
			}
			c.Certificates = []tls.Certificate{pair}
		}
		transport := &http.Transport{TLSClientConfig: c}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+l.Addr().String()+intake.Path, strings.NewReader(sample(id)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", structured)
		res, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			return 0, err
		}
		return res.StatusCode, res.Body.Close()
	}
	for _, c := range []struct {
		name   string
		pair   *securetest.Pair
		status int // 0 = no answer
	}{{"its own", &client, 202}, {"of another", &stranger, 401}, {"none", nil, 401}, {"of another CA", &foreign, 0}} {
		status, err := post(c.pair, c.name)
		if c.status == 0 {
			if err == nil && status != http.StatusUnauthorized {
				t.Errorf("%s: %d", c.name, status)
			}
			continue
		}
		if err != nil || status != c.status {
			t.Errorf("%s: %d %v, want %d", c.name, status, err, c.status)
		}
	}
	// A renewed certificate counts for the next connection.
	renewed := other.Issue(t, time.Hour, "127.0.0.1")
	for from, to := range map[string]string{renewed.Cert: server.Cert, renewed.Key: server.Key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := post(&client, "renewed"); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("the old certificate is shown: %v", err)
	}
	w.written(t, 1)
}

func TestServerTLSRefuses(t *testing.T) {
	t.Parallel()
	pair := securetest.NewCA(t).Issue(t, time.Hour, "127.0.0.1")
	for _, f := range []intake.TLSFiles{{}, {Cert: pair.Cert}, {Cert: pair.Cert, Key: pair.Cert}, {Cert: pair.Cert, Key: pair.Key, ClientCA: "none"}, {Cert: pair.Cert, Key: pair.Key, ClientCA: pair.Key}} {
		if _, err := intake.ServerTLS(f); err == nil || !strings.Contains(err.Error(), "intake.tls") {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

// TestQuestionsAreNotForged holds that a token for everything is not one for what
// Andmerada says of itself.
func TestQuestionsAreNotForged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, nil)
	for id, c := range map[string]struct {
		sources string
		status  int
	}{"all": {"['/', '//', '" + event.AnswersSource[:len(event.AnswersSource)-3] + "']", 403}, "named": {"['" + event.AnswersSource + "']", 403}} {
		w.writeTokens(t, "sources: [{name: x, certificate: x, sources: "+c.sources+", controllers: ['*']}]")
		tokens, err := intake.LoadTokens(w.file, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.in.Authenticate = func(*http.Request) (*intake.Source, error) {
			return tokens.Authenticate(&http.Request{TLS: &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{Subject: pkix.Name{CommonName: "x"}}}}}})
		}
		if r := w.post(t, structured, sample(id, "/netpro/billing", event.AnswersSource)); r.status != c.status {
			t.Errorf("%s: %d %s", id, r.status, r.text)
		}
	}
}
