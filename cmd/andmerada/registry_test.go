package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/schemaregistry"
)

func TestRegistryConfig(t *testing.T) {
	t.Parallel()
	const rest = "kafka: { brokers: [\"k:9092\"] }\nclickhouse: { addr: c:9000 }\nsecret_file: s\n"
	read := func(text string) (*config, error) {
		file := filepath.Join(t.TempDir(), "andmerada.yaml")
		if err := os.WriteFile(file, []byte(rest+text), 0o600); err != nil {
			t.Fatal(err)
		}
		return readConfig(file)
	}
	c, err := read("registry:\n  urls: [https://r-1:8081/apis/ccompat/v7, https://r-2:8081]\n  user: u\n  password_file: p\n  missing: 90s\n  tls: { ca_file: ca.pem }\n")
	if err != nil {
		t.Fatal(err)
	}
	r := c.Registry
	if len(r.URLs) != 2 || r.Missing != 90*time.Second || !filepath.IsAbs(r.PasswordFile) || !filepath.IsAbs(r.TLS.CAFile) {
		t.Errorf("%+v", r)
	}
	if _, err := r.client(schemaregistry.Config{}); err == nil || !strings.Contains(err.Error(), "registry.tls.ca_file") {
		t.Errorf("a CA that is not there: %v", err)
	}
	if c, err := read(""); err != nil || c.Registry != nil {
		t.Errorf("without: %v", err)
	}
	for _, text := range []string{"registry:\n", "registry: { urls: [https://r], tls: }\n"} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), "nothing below it") {
			t.Errorf("%q: %v", text, err)
		}
	}
	c, err = read("registry: { user: u }\n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Registry.client(schemaregistry.Config{}); err == nil || !strings.Contains(err.Error(), "registry.urls") {
		t.Errorf("no address: %v", err)
	}
}
