package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/andmerada/andmerada/internal/secure"
)

// tlsConfig says how to reach a server by TLS. Empty ({}) trusts the system's
// CAs and shows no certificate.
type tlsConfig struct {
	CAFile     string `yaml:"ca_file,omitempty"`
	CertFile   string `yaml:"cert_file,omitempty"`
	KeyFile    string `yaml:"key_file,omitempty"`
	ServerName string `yaml:"server_name,omitempty"`
}

func (t *tlsConfig) dialer(server string) (*secure.Dialer, error) {
	return secure.NewDialer(server, secure.Files{CA: t.CAFile, Cert: t.CertFile, Key: t.KeyFile, ServerName: t.ServerName})
}

// saslConfig says how to log in to Kafka.
type saslConfig struct {
	Mechanism    string `yaml:"mechanism"`
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file,omitempty"` // $ANDMERADA_KAFKA_PASSWORD if empty
}

// secureFiles are the names of files for TLS and SASL.
func (c *config) secureFiles() (names []*string) {
	for _, t := range []*tlsConfig{c.Kafka.TLS, c.ClickHouse.TLS} {
		if t != nil {
			names = append(names, &t.CAFile, &t.CertFile, &t.KeyFile)
		}
	}
	if c.Kafka.SASL != nil {
		names = append(names, &c.Kafka.SASL.PasswordFile)
	}
	if r := c.Registry; r != nil {
		names = append(names, &r.PasswordFile)
		if t := r.TLS; t != nil {
			names = append(names, &t.CAFile, &t.CertFile, &t.KeyFile)
		}
	}
	return names
}

// noEmptySections refuses a tls or sasl without anything below it. YAML takes
// it for left out, and what was meant to be secret would go over plain TCP.
func noEmptySections(data []byte) error {
	var all map[string]any
	if err := yaml.Unmarshal(data, &all); err != nil {
		return err
	}
	var errs []error
	if v, given := all["registry"]; given && v == nil {
		errs = append(errs, errors.New("registry has nothing below it: name its addresses (urls), or remove it"))
	}
	for _, server := range []string{"kafka", "clickhouse", "registry"} {
		section, _ := all[server].(map[string]any)
		for _, name := range []string{"tls", "sasl"} {
			if v, given := section[name]; given && v == nil {
				errs = append(errs, fmt.Errorf("%s.%s has nothing below it: fill it in, or remove it (tls: {} is TLS with the CAs of the system)", server, name))
			}
		}
	}
	return errors.Join(errs...)
}

// kafka is a new way to reach the brokers as the configuration says.
func (c *config) kafka() (*secure.Kafka, error) {
	var dialer *secure.Dialer
	if c.Kafka.TLS != nil {
		var err error
		if dialer, err = c.Kafka.TLS.dialer("kafka"); err != nil {
			return nil, err
		}
	}
	var login *secure.Login
	if s := c.Kafka.SASL; s != nil {
		login = &secure.Login{Mechanism: s.Mechanism, User: s.User, Password: func() (string, error) {
			return readPassword("Kafka", s.PasswordFile, "ANDMERADA_KAFKA_PASSWORD")
		}}
	}
	return secure.NewKafka(dialer, login)
}

// readPassword reads the password of a server from the file, or from the
// environment if no file is named.
func readPassword(server, file, variable string) (string, error) {
	if file == "" {
		return os.Getenv(variable), nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the password of %s: %w", server, err)
	}
	return strings.TrimSpace(string(data)), nil
}
