package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/secure/securetest"
)

// TestIntakeAlone runs the command with neither ClickHouse nor secret, over TLS,
// with a token that the program has made, and stops it.
func TestIntakeAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	if err := k.CreateTopic(t.Context(), "events", 1); err != nil {
		t.Fatal(err)
	}
	ca := securetest.NewCA(t)
	server := ca.Issue(t, time.Hour, "127.0.0.1")

	var out bytes.Buffer
	cmd := newRootCommand()
	cmd.SetArgs([]string{"intake", "token", "new", "--name", "support", "--source", "/netpro/support", "--controller", "netpro", "--expires", "2099-01-31"})
	cmd.SetOut(&out)
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(out.String(), "\n")
	token, entry, _ := strings.Cut(rest, "\n")
	for name, text := range map[string]string{
		"tokens.yaml": "sources:\n" + entry,
		"intake.yaml": fmt.Sprintf("kafka: {brokers: [%q], topic: events}\nintake: {tokens_file: tokens.yaml, tls: {cert_file: %q, key_file: %q}}\n", k.Addr(), server.Cert, server.Key),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	_ = free.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() {
		cmd := newRootCommand()
		cmd.SetArgs([]string{"intake", "--config", filepath.Join(dir, "intake.yaml"), "--listen", addr})
		done <- cmd.ExecuteContext(ctx)
	}()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, DisableKeepAlives: true}}
	get := func(path string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(text)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		status, text := get("/readyz")
		if status == http.StatusOK {
			break
		}
		select {
		case err := <-done:
			t.Fatalf("it has ended: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not get ready: %d %s", status, text)
		}
	}
	body, err := os.ReadFile("../../schemas/examples/access-support.json")
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+addr+"/v1/events", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/cloudevents+json")
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		t.Fatalf("%s: %s", res.Status, text)
	}
	if _, text := get("/metrics"); !strings.Contains(text, "andmerada_intake_accepted_total{") || !strings.Contains(text, `source="support"`) || strings.Contains(text, "100200300") {
		t.Errorf("metrics:\n%s", text)
	}
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{k.Addr()}, Topic: "events", MaxWait: 100 * time.Millisecond})
	if m, err := r.ReadMessage(t.Context()); err != nil || len(m.Key) != 16 {
		t.Errorf("%v: %v", m, err)
	}
	_ = r.Close()
	stop()
	if err := <-done; err != nil {
		t.Errorf("it did not stop well: %v", err)
	}
}

func TestIntakeConfiguration(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"kafka: {brokers: ['a:1']}\nintake: {listen: 'x:1'}", "intake.tokens_file"},
		{"kafka: {brokers: ['a:1']}\nintake: {tokens_file: x}\nsecret_file: x", "clickhouse.addr"},
		{"kafka: {brokers: ['a:1']}", "clickhouse.addr, secret_file"},
		{"kafka: {brokers: ['a:1']}\nintake: {tokens_file: x, token: y}", "unknown field"},
	} {
		file := filepath.Join(t.TempDir(), "x.yaml")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readConfig(file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.text, err, c.want)
		}
	}
	file := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(file, []byte("kafka: {brokers: ['a:1']}\nintake: {tokens_file: tokens.yaml, tls: {cert_file: c, key_file: /k}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := readConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	if dir := filepath.Dir(file); c.Intake.Tokens != filepath.Join(dir, "tokens.yaml") || c.Intake.TLS.CertFile != filepath.Join(dir, "c") || c.Intake.TLS.KeyFile != "/k" || c.Intake.TLS.ClientCAFile != "" {
		t.Errorf("%+v %+v", c.Intake, c.Intake.TLS)
	}
	if _, err := c.trail(true); err == nil || !strings.Contains(err.Error(), "for the intake alone") {
		t.Errorf("the trail is opened: %v", err)
	}
}
