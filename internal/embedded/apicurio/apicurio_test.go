package apicurio_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/embedded/apicurio"
	"github.com/andmerada/andmerada/internal/secure/securetest"
)

// What was registered is there by both ports, also after the registry was
// killed; and after its end nothing listens.
func TestRegistry(t *testing.T) {
	t.Parallel()
	ca := securetest.NewCA(t)
	pair := ca.Issue(t, time.Hour, "127.0.0.1")
	r, err := apicurio.Start(t.TempDir(), apicurio.Options{Cert: pair.Cert, Key: pair.Key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	if got := ask(t, client, http.MethodPost, r.URL+"/subjects/s-value/versions", `{"schema":"\"string\""}`); got != `{"id":1}` {
		t.Errorf("registered: %s", got)
	}
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	if resp, err := client.Get(r.URL + "/schemas/ids/1"); err == nil {
		resp.Body.Close()
		t.Error("answers when it was killed")
	}
	if err := r.Restart(); err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{r.URL, r.Secure} {
		if got := ask(t, client, http.MethodGet, base+"/schemas/ids/1", ""); !strings.Contains(got, `\"string\"`) {
			t.Errorf("%s has %s", base, got)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if resp, err := client.Get(r.URL + "/subjects"); err == nil {
		resp.Body.Close()
		t.Error("still answers after its end")
	}
}

func ask(t *testing.T, client *http.Client, method, url, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
