package foreign

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/foreign/clients"
	"github.com/andmerada/andmerada/internal/intake"
)

// TestPostsAreOne: what others post over HTTP becomes the same rows as what
// `andmerada emit` sends to Kafka.
func TestPostsAreOne(t *testing.T) {
	const own = "post-own"
	programs := map[string]func(t *testing.T, w *world, to target, all []sent){
		own:                      func(t *testing.T, w *world, _ target, all []sent) { emitted(t, w, own, all) },
		"post-curl-binary":       curlBinary,
		"post-curl-structured":   curl("structured"),
		"post-curl-batch":        curl("batch"),
		"post-node-binary":       postNode("binary"),
		"post-node-structured":   postNode("structured"),
		"post-python-binary":     postPython("binary"),
		"post-python-structured": postPython("structured"),
		"post-python-batch":      postPython("batch"),
	}
	topics, all := keys(programs), events(t)
	w := newWorld(t, topics...)
	stop := w.ingest(nil)
	t.Run("send", func(t *testing.T) {
		for _, topic := range topics {
			t.Run(topic, func(t *testing.T) {
				t.Parallel()
				to := w.intake(t, topic)
				programs[topic](t, w, to, all)
				if topic != own { // a second time: known, and not written again
					programs[topic](t, w, to, all[:5])
				}
			})
		}
	})
	if t.Failed() {
		stop()
		return
	}
	for _, topic := range topics {
		w.await(topic, len(all))
	}
	stop()
	want := w.rows(own)
	for _, topic := range topics {
		w.verify(topic, int64(len(all)), 0)
		w.same(want, w.rows(topic), topic)
	}
	t.Logf("%d events in %d forms: %d rows each", len(all), len(topics), len(want))
}

// target is where to post, and by which token.
type target struct{ url, token string }

// intake starts one in front of a topic, by TLS.
func (w *world) intake(t *testing.T, topic string) target {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	token, sum := intake.NewToken()
	entry, err := intake.Entry(intake.Source{Name: topic, Token: sum, Sources: []string{"/"}, Controllers: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "tokens.yaml")
	if err := os.WriteFile(file, []byte("sources:\n"+entry), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens, err := intake.LoadTokens(file, log)
	if err != nil {
		t.Fatal(err)
	}
	transport := &kafka.Transport{}
	writer, err := emit.New(emit.Config{Brokers: []string{w.broker}, Topic: topic, Linger: time.Millisecond, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	in, err := intake.New(intake.Config{Write: writer.Forward, Authenticate: tokens.Authenticate, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(intake.Path, in)
	server := httptest.NewUnstartedServer(mux)
	if server.TLS, err = intake.ServerTLS(intake.TLSFiles{Cert: w.cert, Key: w.key}); err != nil {
		t.Fatal(err)
	}
	server.StartTLS()
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := errors.Join(in.Close(ctx), writer.Close()); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
	})
	return target{server.URL + intake.Path, token}
}

func postPython(mode string) func(*testing.T, *world, target, []sent) {
	return func(t *testing.T, w *world, to target, all []sent) {
		cmd := clients.Python(t, "programs/post.py", to.url, w.ca, mode)
		// requests prefers the CAs of the environment to those of the session.
		cmd.Env = append(cmd.Env, "TOKEN="+to.token, "NO_PROXY=127.0.0.1", "REQUESTS_CA_BUNDLE=", "CURL_CA_BUNDLE=")
		run(t, cmd, lines(all))
	}
}

func postNode(mode string) func(*testing.T, *world, target, []sent) {
	return func(t *testing.T, w *world, to target, all []sent) {
		cmd := clients.Node(t, "programs/post.mjs", to.url, mode)
		cmd.Env = append(os.Environ(), "TOKEN="+to.token, "NODE_EXTRA_CA_CERTS="+w.ca)
		run(t, cmd, lines(all))
	}
}

func curl(mode string) func(*testing.T, *world, target, []sent) {
	return func(t *testing.T, w *world, to target, all []sent) {
		cmd := clients.Shell(t, []string{"curl"}, "programs/post.sh", to.url, w.ca, mode)
		cmd.Env = append(os.Environ(), "TOKEN="+to.token, "NO_PROXY=127.0.0.1")
		run(t, cmd, lines(all))
	}
}

// curlBinary runs curl once for all events, each with its headers. They are by
// our own encoder, since curl knows nothing of CloudEvents.
func curlBinary(t *testing.T, w *world, to target, all []sent) {
	var config strings.Builder
	quote := func(s string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	for i, one := range all {
		headers, value, err := event.EncodeBinary(one.event)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			config.WriteString("next\n")
		}
		config.WriteString("silent\nshow-error\nfail\nurl = " + quote(to.url) + "\ncacert = " + quote(w.ca) + "\nheader = " + quote("Authorization: Bearer "+to.token) + "\n")
		for _, h := range headers {
			name, text := h.Key, string(h.Value)
			if attribute, is := strings.CutPrefix(name, "ce_"); is { // the HTTP binding, §3.1.3
				name, text = "ce-"+attribute, url.PathEscape(text)
			}
			config.WriteString("header = " + quote(name+": "+text) + "\n")
		}
		config.WriteString("data-binary = " + quote(string(value)) + "\n")
	}
	run(t, clients.Shell(t, []string{"curl"}, "-c", "curl --noproxy 127.0.0.1 --fail-early --config -"), []byte(config.String()))
}
